"""A file is replaced as a whole or not at all, and JSON says exactly what was meant."""

import json
import math
import os
import stat

import pytest

from harness.store.atomic import (
    encode_json,
    null_for_nan,
    replacing,
    write_bytes,
    write_json,
    write_text,
)


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "plan.json"
    write_text(path, "old")

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]


def test_content_is_synced_before_it_gets_its_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("sync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    write_bytes(tmp_path / "x", b"1")
    assert calls == ["sync", "replace", "sync"]


def test_folders_are_made_and_the_file_is_as_readable_as_any_other(tmp_path):
    write_text(tmp_path / "a" / "b" / "x", "é")
    (tmp_path / "other").write_text("")
    written, other = tmp_path / "a" / "b" / "x", tmp_path / "other"
    assert written.read_text() == "é"
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)
    with replacing(tmp_path / "secret") as temporary:
        temporary.unlink()
        temporary.touch(0o600)  # as some libraries do
    assert (tmp_path / "secret").stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize("number", [0.1 + 0.2, 1e-310, math.pi * 1e17, -0.0])
def test_floats_are_read_back_bit_for_bit(tmp_path, number):
    write_json(tmp_path / "x.json", {"n": number})
    back = json.loads((tmp_path / "x.json").read_text())["n"]
    assert back.hex() == number.hex()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_json_is_strict_and_nan_becomes_null_only_when_asked(number):
    with pytest.raises(ValueError, match="JSON compliant"):
        encode_json([number])
    deep = null_for_nan({"a": [number, {"b": (1.5, number)}], "c": "nan", "d": True})
    assert deep == {"a": [None, {"b": [1.5, None]}], "c": "nan", "d": True}
