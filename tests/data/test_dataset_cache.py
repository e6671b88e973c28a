import errno
import json
import logging
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from lab import write_corpus

import harness
from harness.data.cache import cache_root, open_or_build, problem_of
from harness.data.dataset import DataConfig, load_dataset
from harness.errors import AblateError


class Build:
    """Writes two files, and counts how often."""

    def __init__(self):
        self.times = 0

    def __call__(self, folder):
        self.times += 1
        (folder / "a.bin").write_bytes(b"0123456789" * 10)
        (folder / "deep").mkdir()
        (folder / "deep" / "b.json").write_text("{}")


@pytest.fixture
def build():
    return Build()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache" / "abc"


def test_what_is_intact_is_not_built_again(folder, build):
    open_or_build(folder, build)
    open_or_build(folder, build)
    assert build.times == 1
    assert problem_of(folder) is None
    assert not folder.with_suffix(".partial").exists()


def truncate(folder):
    (folder / "a.bin").write_bytes(b"01234")


def flip_a_byte(folder):
    (folder / "a.bin").write_bytes(b"0123456789" * 9 + b"012345678x")


def remove_a_file(folder):
    (folder / "deep" / "b.json").unlink()


def remove_the_manifest(folder):
    (folder / "MANIFEST.json").unlink()


def truncate_the_manifest(folder):
    (folder / "MANIFEST.json").write_bytes((folder / "MANIFEST.json").read_bytes()[:-9])


def replace_the_manifest(folder):
    (folder / "MANIFEST.json").write_text('{"files": {"a.bin": 3}}')


def flip_a_byte_unnoticed(folder):
    """As a disk does it: the file keeps its time."""
    before = (folder / "a.bin").stat()
    flip_a_byte(folder)
    os.utime(folder / "a.bin", ns=(before.st_atime_ns, before.st_mtime_ns))


def come_from_another_folder(folder):
    open_or_build(folder.with_name("other"), lambda f: (f / "a.bin").write_bytes(b"other"))
    folder.rename(folder.with_name("away"))
    folder.with_name("other").rename(folder)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (truncate, "a.bin has another size"),
        (flip_a_byte, "a.bin is not what was written"),
        (flip_a_byte_unnoticed, "a.bin is not what was written"),
        (remove_a_file, "b.json is missing"),
        (remove_the_manifest, "MANIFEST.json is missing"),
        (truncate_the_manifest, "MANIFEST.json cannot be read: JSONDecodeError"),
        (replace_the_manifest, "MANIFEST.json is of another version, or damaged"),
        (come_from_another_folder, "MANIFEST.json is of other"),
    ],
)
def test_what_is_damaged_is_built_again_with_one_line_of_warning(
    folder, build, damage, problem, caplog
):
    open_or_build(folder, build)
    damage(folder)
    open_or_build(folder, build)
    assert build.times == 2
    assert problem_of(folder) is None
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage() == f"{folder} is built again: {problem}"


def test_a_failed_build_leaves_nothing_and_can_be_repeated(folder, build):
    def fail(partial):
        (partial / "a.bin").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_or_build(folder, fail)
    assert [path.suffix for path in folder.parent.iterdir()] == [".lock"]
    open_or_build(folder, build)
    assert problem_of(folder) is None


def test_what_a_killed_process_left_does_not_enter(folder, build):
    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True)
    (partial / "old").write_text("left")
    open_or_build(folder, build)
    assert not (folder / "old").exists()


def test_the_manifest_has_the_size_and_hash_of_every_file(folder, build):
    open_or_build(folder, build)
    files = json.loads((folder / "MANIFEST.json").read_text())["files"]
    assert list(files) == ["a.bin", "deep/b.json"]
    assert files["a.bin"]["bytes"] == 100
    assert len(files["a.bin"]["sha256"]) == 64


def test_a_cache_that_cannot_be_written_says_which_variable_to_set(tmp_path, build):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(AblateError, match=r"cannot write the data cache: .*set ABLATE_CACHE"):
        open_or_build(tmp_path / "file" / "abc", build)


def test_the_cache_lies_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("ABLATE_CACHE", raising=False)
    assert cache_root() == Path("/home/me/.cache/ablate")
    monkeypatch.setenv("XDG_CACHE_HOME", "/fast")
    assert cache_root() == Path("/fast/ablate")
    monkeypatch.setenv("ABLATE_CACHE", "~/mine")
    assert cache_root() == Path("/home/me/mine")


def test_a_disk_that_is_full_is_said_with_the_folder(folder):
    def fill(partial):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(AblateError, match=r"cache .*abc: No space left on device; make room"):
        open_or_build(folder, fill)


def flip(file, chance):
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


def cut(file, chance):
    os.truncate(file, chance.randrange(file.stat().st_size))


def grow(file, chance):
    file.write_bytes(file.read_bytes() + chance.randbytes(2))


def zero(file, chance):
    file.write_bytes(bytes(file.stat().st_size))


def swap(file, chance):
    other = file.with_name("held_out.bin" if file.name == "train.bin" else "train.bin")
    aside = file.with_name("aside")
    for a, b in ((file, aside), (other, file), (aside, other)):
        a.rename(b)


def lose(file, chance):
    file.unlink()


def damaged_and_opened(config, folder, chance):
    """Damage a file of a dataset in one way, open it again, and return what is then read."""
    name = chance.choice(["train.bin", "held_out.bin", "dataset.json"])
    damage = chance.choice([flip, cut, grow, zero, swap, lose])
    if damage is swap and name == "dataset.json":
        name = "train.bin"
    damage(folder / name, chance)
    return content(load_dataset(config)), (name, damage)


def content(dataset):
    return dataset.train.tobytes(), [
        (h.id, h.tokens.tobytes(), h.n_bytes) for h in dataset.held_out
    ]


def damages(tmp_path, monkeypatch, caplog, n):
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    corpus = write_corpus(tmp_path / "corpus")
    config = DataConfig.read(
        {"corpus": {"name": "local", "path": str(corpus)}, "tokenizer": "byte"}
        | {"held_out_documents": 4}
    )
    whole, chance = content(load_dataset(config)), random.Random(0)
    (folder,) = (tmp_path / "cache" / "datasets").glob("*/")
    for i in range(n):
        caplog.clear()
        found, how = damaged_and_opened(config, folder, chance)
        assert found == whole, (i, how)
        assert [record.levelno for record in caplog.records] == [logging.WARNING], (i, how)


def test_a_damaged_dataset_is_never_used(tmp_path, monkeypatch, caplog):
    damages(tmp_path, monkeypatch, caplog, 60)


@pytest.mark.slow
def test_a_thousand_damages_of_a_dataset_are_all_noticed(tmp_path, monkeypatch, caplog):
    damages(tmp_path, monkeypatch, caplog, 1000)


CHILD = """
import logging, sys
from harness.data.dataset import DataConfig, load_dataset
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
config = DataConfig.read({"corpus": {"name": "local", "path": sys.argv[1]}})
print("ready", flush=True)
sys.stdin.readline()
dataset = load_dataset(config)
print("opened", dataset.fingerprint, len(dataset.train))
"""


def test_processes_that_start_together_build_once(tmp_path):
    (tmp_path / "corpus").mkdir()
    for i in range(40):
        (tmp_path / "corpus" / f"{i}.txt").write_text(f"{i} some words to read " * 2000)
    root = str(Path(harness.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "ABLATE_CACHE": str(tmp_path / "cache")}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "corpus")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    lines = [line for child in children for line in child.communicate()[0].splitlines()]
    assert all(child.returncode == 0 for child in children)
    assert sum(line.startswith("building") for line in lines) == 1
    assert len({line for line in lines if line.startswith("opened")}) == 1
    assert sum(line.startswith("opened") for line in lines) == 4
    assert len(list((tmp_path / "cache" / "datasets").glob("*/"))) == 1
