"""A run's folder says what has become of it, whatever became of its writer."""

import math
import os
import signal
import subprocess
import sys

import pytest
from pydantic import ValidationError

from harness.store.attempt import Attempt
from harness.store.errors import StoreError
from harness.store.records import Heartbeat, Result, RunRecord
from harness.store.runs import RunStore
from harness.store.status import Status

RECORD = RunRecord(
    config={"train": {"lr": 3e-3}},
    fingerprint={"step": 0.1 + 0.2, "data": "abc"},
    environment={"device": "cpu"},
    created="2025-01-01T00:00:00+00:00",
)
DONE = Result(
    status=Status.DONE,
    seconds=1.5,
    metrics={"val_bpb": 0.1 + 0.2, "steps": 7},
    documents={"1789": (12.5, 30)},
)


@pytest.fixture
def attempt(tmp_path) -> Attempt:
    return RunStore(tmp_path).new_attempt("a1", "cpu-torch2.13")


def test_what_is_written_is_read_back_equal(attempt):
    heartbeat = Heartbeat(fraction=0.25, step=3, loss=math.nan)
    with attempt.hold():
        attempt.write_run(RECORD)
        attempt.beat(heartbeat)
        attempt.append_measurement({"step": 1, "val_bpb": 0.1 + 0.2, "lr": math.inf})
        attempt.finish(DONE)
    again = Attempt(attempt.path)
    assert (again.run_id, again.environment, again.number) == ("a1", "cpu-torch2.13", 1)
    assert again.read_run() == RECORD
    assert again.read_result() == DONE
    assert again.read_curve() == [{"step": 1, "val_bpb": 0.1 + 0.2, "lr": None}]
    beaten = again.read_heartbeat()
    assert beaten == heartbeat.model_copy(update={"loss": None})
    assert beaten.pid == os.getpid()


def test_nothing_is_there_before_it_is_written(attempt):
    assert attempt.read_run() is attempt.read_result() is attempt.read_heartbeat() is None
    assert attempt.read_curve() == []


@pytest.mark.parametrize("status", [Status.DONE, Status.DIVERGED, Status.FAILED])
def test_a_finished_attempt_is_never_overwritten(attempt, status):
    with attempt.hold():
        attempt.finish(Result(status=status, seconds=1.0, cause="as it was"))
        with pytest.raises(StoreError, match=r"result\.json: already written"):
            attempt.finish(DONE)
    assert attempt.status is status
    assert attempt.read_result().cause == "as it was"


def test_the_record_of_a_run_is_written_once(attempt):
    with attempt.hold():
        attempt.write_run(RECORD)
        with pytest.raises(StoreError, match=r"run\.json"):
            attempt.write_run(RECORD.model_copy(update={"replica": 1}))
    assert attempt.read_run() == RECORD


@pytest.mark.parametrize("status", [Status.RUNNING, Status.QUEUED, Status.INTERRUPTED])
def test_a_result_is_terminal(status):
    with pytest.raises(ValidationError):
        Result(status=status, seconds=1.0)


def test_only_the_holder_writes(attempt):
    for write in (lambda: attempt.finish(DONE), lambda: attempt.append_measurement({"step": 1})):
        with pytest.raises(AssertionError, match="holder"):
            write()


def test_there_is_one_writer(attempt, monkeypatch):
    monkeypatch.setattr("harness.store.lock.PATIENCE_S", 0.05)
    with (
        attempt.hold(),
        pytest.raises(StoreError, match="another process"),
        Attempt(attempt.path).hold(),
    ):
        pass
    with Attempt(attempt.path).hold():
        assert attempt.status is Status.RUNNING


def test_a_killed_writer_is_interrupted_at_once(attempt):
    code = (
        "import sys, time, pathlib\n"
        "from harness.store.attempt import Attempt\n"
        "with Attempt(pathlib.Path(sys.argv[1])).hold():\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(attempt.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "held\n"
        assert attempt.status is Status.RUNNING
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert attempt.status is Status.INTERRUPTED


def test_reading_the_status_does_not_take_the_lock_away(attempt):
    with attempt.hold():
        assert [attempt.status for _ in range(3)] == [Status.RUNNING] * 3
    assert attempt.status is Status.INTERRUPTED
    with attempt.hold():
        attempt.finish(DONE)
        assert attempt.status is Status.DONE


def test_a_torn_last_line_is_ignored_and_a_resumed_writer_starts_a_new_one(attempt):
    with attempt.hold():
        attempt.append_measurement({"step": 1, "val_loss": 3.0})
    curve = attempt.path / "curve.jsonl"
    with curve.open("a") as file:
        file.write('{"step": 2, "val_lo')
    assert [p["step"] for p in attempt.read_curve()] == [1]
    with attempt.hold():
        attempt.append_measurement({"step": 2, "val_loss": 2.5})
    assert attempt.read_curve() == [{"step": 1, "val_loss": 3.0}, {"step": 2, "val_loss": 2.5}]


def test_a_step_measured_again_after_resuming_counts_once(attempt):
    with attempt.hold():
        for step, loss in [(1, 3.0), (2, 2.5), (1, 2.9)]:
            attempt.append_measurement({"step": step, "val_loss": loss})
    assert attempt.read_curve() == [{"step": 1, "val_loss": 2.9}, {"step": 2, "val_loss": 2.5}]


@pytest.mark.parametrize("line", ["{", "[1]", '{"loss": 1}', "\0\0"])
def test_a_bad_line_within_a_curve_is_named(attempt, line):
    (attempt.path / "curve.jsonl").write_text(f'{{"step": 1}}\n{line}\n{{"step": 3}}\n')
    with pytest.raises(StoreError, match=r"a1/cpu-torch2.13-1/curve\.jsonl: .*line 2"):
        attempt.read_curve()


@pytest.mark.parametrize("content", ["", "{", '{"status": "running", "seconds": 1}', "[]"])
@pytest.mark.parametrize(
    ("name", "read"), [("run.json", "read_run"), ("result.json", "read_result")]
)
def test_a_corrupt_record_is_named_and_seen_in_the_status(attempt, name, read, content):
    (attempt.path / name).write_text(content)
    with pytest.raises(StoreError, match=rf"{name}: corrupt"):
        getattr(attempt, read)()
    assert attempt.status is Status.CORRUPT


def test_heartbeats_come_at_most_every_second(attempt, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    seen = []
    with attempt.hold():
        for step, now in [(1, 100.0), (2, 100.9), (3, 101.1)]:
            clock[0] = now
            attempt.beat(Heartbeat(fraction=0.5, step=step))
            seen.append(attempt.read_heartbeat().step)
    assert seen == [1, 1, 3]


def test_a_removed_attempt_is_gone_but_never_under_its_writer(attempt, monkeypatch):
    monkeypatch.setattr("harness.store.lock.PATIENCE_S", 0.05)
    with attempt.hold(), pytest.raises(StoreError):
        Attempt(attempt.path).remove()
    assert attempt.path.exists()
    attempt.remove()
    assert not attempt.path.parent.exists()


def test_what_a_dead_writer_left_unfinished_is_removed_by_the_next(attempt):
    with attempt.hold():
        attempt.write_run(RECORD)
    (attempt.path / ".result.json.1-ab").write_text("half")
    (attempt.path / ".tmpXyz").write_text("half")  # as libraries call theirs
    (attempt.path / "measurements").mkdir()
    (attempt.path / "measurements" / ".int8.json.1-ab").write_text("half")
    with attempt.hold():
        pass
    left = sorted(str(p.relative_to(attempt.path)) for p in attempt.path.rglob("*") if p.is_file())
    assert left == ["lock", "run.json"]
    assert attempt.read_run() == RECORD


def test_checkpoints_of_a_writer_that_died_after_its_result_are_tidied_away(attempt):
    with attempt.hold():
        attempt.checkpoints.write(3, lambda folder: (folder / "x").write_bytes(b"x"))
    attempt.tidy()
    assert attempt.checkpoints.exist  # it may go on
    with attempt.hold():
        attempt.finish(DONE)
        attempt.tidy()  # another process is at it
    assert attempt.checkpoints.exist
    attempt.tidy()
    assert not attempt.checkpoints.folder.exists()
    assert attempt.read_result() == DONE


def test_a_measurement_that_does_not_fit_is_said_and_leaves_no_part_of_a_line(attempt):
    code = (
        "import resource, sys, pathlib\n"
        "from harness.store.attempt import Attempt\n"
        "attempt = Attempt(pathlib.Path(sys.argv[1]))\n"
        "with attempt.hold():\n"
        "    attempt.append_measurement({'step': 1})\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))\n"
        "    attempt.append_measurement({'step': 2, 'val_loss': 1.0})\n"
    )
    command = [sys.executable, "-c", code, str(attempt.path)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert f"{attempt.path / 'curve.jsonl'}: could not be written: File too large" in ended.stderr
    with attempt.hold():
        attempt.append_measurement({"step": 2})
    assert attempt.read_curve() == [{"step": 1}, {"step": 2}]
