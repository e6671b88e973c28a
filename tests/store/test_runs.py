"""Attempts lie side by side, each in a folder that nobody else was given."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import AblateError
from harness.store.records import Result
from harness.store.runs import RunStore


def _make(root: Path) -> str:
    return RunStore(root).new_attempt("run", "cpu").path.name


def _finish(attempt, status):
    with attempt.hold():
        attempt.finish(Result(status=status, seconds=1.0))


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_no_two_callers_get_the_same_attempt(tmp_path, pool):
    spawn = {"mp_context": multiprocessing.get_context("spawn")}
    with pool(4, **(spawn if pool is ProcessPoolExecutor else {})) as workers:
        names = list(workers.map(_make, [tmp_path] * 24))
    assert sorted(names) == sorted(f"cpu-{n}" for n in range(1, 25))


def test_a_folder_made_since_the_listing_is_not_given_away(tmp_path, monkeypatch):
    store = RunStore(tmp_path)
    _finish(store.new_attempt("run", "cpu"), "done")
    monkeypatch.setattr(store, "attempts", lambda _: [])
    assert store.new_attempt("run", "cpu").number == 2


def test_environments_number_their_attempts_apart(tmp_path):
    store = RunStore(tmp_path)
    for environment in ("cpu", "cuda-9", "cpu"):
        store.new_attempt("run", environment)
    seen = [(a.environment, a.number) for a in store.attempts("run")]
    assert seen == [("cpu", 1), ("cpu", 2), ("cuda-9", 1)]


def test_attempts_are_in_order_of_their_numbers_beyond_nine(tmp_path):
    store = RunStore(tmp_path)
    for _ in range(11):
        store.new_attempt("run", "cpu")
    assert [a.number for a in store.attempts("run")] == list(range(1, 12))


def test_the_best_attempt_is_the_newest_done_else_the_newest(tmp_path):
    store = RunStore(tmp_path)
    assert store.best_attempt("run", "cpu") is None
    _finish(store.new_attempt("run", "cpu"), "failed")
    assert store.best_attempt("run", "cpu").number == 1
    _finish(store.new_attempt("run", "cpu"), "done")
    _finish(store.new_attempt("run", "cpu"), "done")
    store.new_attempt("run", "cpu")
    _finish(store.new_attempt("run", "cuda"), "done")
    assert store.best_attempt("run", "cpu").number == 3


def test_runs_are_listed_and_strange_files_are_not(tmp_path):
    store = RunStore(tmp_path)
    assert list(store.runs()) == []
    for run in ("b", "a"):
        store.new_attempt(run, "cpu")
    (tmp_path / "runs" / ".DS_Store").touch()
    (tmp_path / "runs" / "a" / ".removed-cpu-1").mkdir()
    (tmp_path / "runs" / "a" / "notes").mkdir()
    assert list(store.runs()) == ["a", "b"]
    assert [a.path.name for a in store.attempts("a")] == ["cpu-1"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-rf", "a" * 97, "a\n"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path, name):
    store = RunStore(tmp_path)
    with pytest.raises(AblateError, match="must be 1 to 96"):
        store.attempts(name)
    with pytest.raises(AblateError, match="must be 1 to 96"):
        store.new_attempt("run", name)
    assert not (tmp_path / "runs").exists()
