"""The events of a study survive whatever becomes of their writer."""

import json
import multiprocessing

import pytest

from harness.errors import AblateError
from harness.store.errors import StoreError
from harness.store.studies import StudyStore

DEFINITION = {
    "format": 1,
    "name": "kv",
    "objectives": [{"key": "val_bpb", "direction": "minimize"}],
    "space": {},
    "sampler": {"name": "tpe", "seed": 0},
    "trials": 3,
}


@pytest.fixture
def files(tmp_path):
    return StudyStore(tmp_path).files("kv")


def write(files, n=3):
    with files.hold():
        files.write_definition(DEFINITION)
        for i in range(n):
            files.append({"trial": i, "event": "asked", "params": {"lr": 0.1 + 0.2}})


def test_what_is_written_is_read_back_equal(files, tmp_path):
    write(files)
    again = StudyStore(tmp_path).open("kv")
    assert again.read_definition() == DEFINITION
    events = again.events()
    assert [(e["seq"], e["trial"]) for e in events] == [(0, 0), (1, 1), (2, 2)]
    assert {e["params"]["lr"] for e in events} == {0.1 + 0.2}
    assert StudyStore(tmp_path).names() == ["kv"]


def test_an_unknown_study_is_named_with_the_nearest(files, tmp_path):
    write(files)
    with pytest.raises(AblateError, match="Did you mean 'kv'"):
        StudyStore(tmp_path).open("kvv")


def test_a_line_cut_at_any_byte_is_put_aside_and_the_numbers_go_on(files):
    write(files)
    whole = files.trials.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    for length in range(start, len(whole)):
        files.trials.write_bytes(whole[:length])
        assert len(files.events()) == 2
        with files.hold():
            files.append({"trial": 2, "event": "asked"})
        assert [event["seq"] for event in files.events()] == [0, 1, 2]
        if length > start:
            torn = files.path / f"torn-2-{length - start}.txt"
            assert torn.read_bytes() == whole[start:length]
        files.trials.write_bytes(whole)


def test_zeros_at_the_end_are_torn_too(files):
    write(files)
    whole = files.trials.read_bytes()
    files.trials.write_bytes(whole + b"\0" * 50)
    with files.hold():
        assert len(files.events()) == 3
    assert files.trials.read_bytes() == whole


@pytest.mark.parametrize("line", [b"{}", b"not json", b'{"seq": 7, "trial": 0, "event": "asked"}'])
def test_a_corrupt_line_within_is_refused_and_nothing_is_cut(files, line):
    write(files)
    lines = files.trials.read_bytes().split(b"\n")
    lines[1] = line
    files.trials.write_bytes(b"\n".join(lines))
    with pytest.raises(StoreError, match="line 2"):
        files.events()
    with pytest.raises(StoreError, match="line 2"), files.hold():
        pass
    assert files.trials.read_bytes() == b"\n".join(lines)


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}"])
def test_a_corrupt_definition_is_one_clear_error(files, content):
    write(files)
    (files.path / "study.json").write_bytes(content)
    with pytest.raises(StoreError, match="corrupt"):
        files.read_definition()


def test_a_later_format_is_refused(files):
    write(files)
    (files.path / "study.json").write_text(json.dumps({**DEFINITION, "format": 2}))
    with pytest.raises(StoreError, match="format 2"):
        files.read_definition()


def test_a_study_has_one_writer(files):
    context = multiprocessing.get_context("spawn")
    with files.hold(), context.Pool(1) as pool:
        told = pool.apply(_try_to_hold, (str(files.path),))
    assert "another process is running this study" in told


def _try_to_hold(path):
    from pathlib import Path

    from harness.store.studies import StudyFiles

    try:
        with StudyFiles(Path(path)).hold():
            return "held"
    except StoreError as error:
        return str(error)
