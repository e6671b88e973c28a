import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.data.cache import cache_root, is_intact, open_or_build
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
    assert is_intact(folder)
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


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip_a_byte,
        remove_a_file,
        remove_the_manifest,
        truncate_the_manifest,
        replace_the_manifest,
    ],
)
def test_what_is_damaged_is_built_again_with_one_line_of_warning(folder, build, damage, caplog):
    open_or_build(folder, build)
    damage(folder)
    open_or_build(folder, build)
    assert build.times == 2
    assert is_intact(folder)
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage() == f"{folder} is damaged and is built again"


def test_a_failed_build_leaves_nothing_and_can_be_repeated(folder, build):
    def fail(partial):
        (partial / "a.bin").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_or_build(folder, fail)
    assert [path.suffix for path in folder.parent.iterdir()] == [".lock"]
    open_or_build(folder, build)
    assert is_intact(folder)


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
