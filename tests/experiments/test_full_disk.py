"""A disk without room: the message says which file and what to do, and no result is lost."""

import contextlib
import resource
import subprocess

import pytest
from faults import write_faulty
from killing import seen
from lab import ABLATE, ROOT, _main, ablate, attempts, in_new_process

from harness.store.status import Status

DIES = "if self.n == 7: die()"
LIMIT = 150_000  # bytes: more than any table here has, and less than the state of a training


@pytest.fixture
def wide(small):
    """A small experiment whose state takes some hundred kilobytes."""

    def make(**changes):
        data = small(**changes)
        data["base"]["variant"] = {**data["base"]["variant"], "d_model": 64}
        return data

    return make


@pytest.fixture
def whole(wide, tmp_path):
    """What the experiment finds where there is room."""
    folder = tmp_path / "whole"
    file = write_faulty(folder, wide, DIES)
    (folder / "mended").touch()
    assert ablate("run", file, "--inline", results=folder / "results").code == 0
    return [seen(attempt) for attempt in attempts(folder / "results")]


def stopped(wide, folder, results):
    """Stop an experiment in step 7 of one of its runs, where there is still room."""
    file = write_faulty(folder, wide, DIES)
    with pytest.raises(RuntimeError, match="exit code -9"):
        ablate("run", file, "--inline", "--checkpoint-seconds", "0", results=results)
    (folder / "mended").touch()
    (attempt,) = (a for a in attempts(results) if a.status is Status.INTERRUPTED)
    assert attempt.checkpoints.newest(pytest.fail).step == 6
    return file, attempt


def limited_main(arguments):
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
    return _main(arguments)


def check_refused(told, attempt, reason):
    step = attempt.checkpoints.folder / "step-000000007"
    assert f"{step}: could not be written: {reason}, then the same command goes on" in told
    assert "Traceback" not in told
    assert attempt.status is Status.INTERRUPTED
    assert attempt.checkpoints.newest(pytest.fail).step == 6
    assert sorted(path.name for path in attempt.checkpoints.folder.iterdir()) == [
        "step-000000005",
        "step-000000006",
    ]


def check_finished(file, results, whole):
    ended = ablate("run", file, "--inline", results=results)
    assert ended.code == 0, ended.err
    assert "resume   faulty seed 0 after step 6" in ended.out
    assert [seen(attempt) for attempt in attempts(results)] == whole


def test_a_checkpoint_without_room_is_told_and_the_run_goes_on_later(wide, tmp_path, whole):
    results = tmp_path / "results"
    file, attempt = stopped(wide, tmp_path, results)
    given = ["run", str(file), "--inline", "--checkpoint-seconds", "0", "--results", str(results)]
    code, _, err = in_new_process(limited_main, given)
    assert code == 2
    check_refused(err, attempt, "File too large; raise the limit on the size of files")
    check_finished(file, results, whole)


def test_a_worker_tells_it_too(wide, tmp_path, whole):
    results = tmp_path / "results"
    file, attempt = stopped(wide, tmp_path, results)
    given = [*ABLATE, "run", file, "--checkpoint-seconds", "0", "--results", results]
    shell = ["bash", "-c", f'ulimit -f {LIMIT // 1024}; exec "$@"', "-", *map(str, given)]
    ended = subprocess.run(shell, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 1
    assert "2 runs failed, diverged or were stopped" in ended.stderr  # the other had yet to begin
    told = ended.stdout + ended.stderr
    check_refused(told, attempt, "File too large; raise the limit on the size of files")
    check_finished(file, results, whole)


@contextlib.contextmanager
def mounted(folder, size):
    """Have a file system of a size at a folder."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    tried = subprocess.run(mount, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no file system can be mounted here: {tried.stderr}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_full_is_told_and_the_run_goes_on_later(wide, tmp_path, whole):
    with mounted(tmp_path / "disk", size="8m"):
        results, ballast = tmp_path / "disk" / "results", tmp_path / "disk" / "ballast"
        file, attempt = stopped(wide, tmp_path, results)
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file_of_it:
            while True:
                file_of_it.write(bytes(4096))
        with ballast.open("r+b") as file_of_it:  # some room: for tables, not for a checkpoint
            file_of_it.truncate(ballast.stat().st_size - LIMIT)
        options = ("--inline", "--checkpoint-seconds", "0")
        ended = ablate("run", file, *options, results=results)
        assert ended.code == 2
        check_refused(ended.err, attempt, "No space left on device; make room")
        ballast.unlink()
        check_finished(file, results, whole)
