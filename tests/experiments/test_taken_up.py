"""What a person sees of runs that were stopped: where they go on, and what could not be used."""

import subprocess

import pytest
from faults import write_faulty
from killing import seen
from lab import ABLATE, ROOT, ablate, attempts

from harness.store.status import Status

DIES = "if self.n == 7: die()"


def run(file, results, *options):
    """Run the command line from the shell, with workers."""
    given = [*ABLATE, "run", str(file), "--results", str(results), *options]
    ended = subprocess.run(given, capture_output=True, text=True, cwd=ROOT)
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


def faulty_of(results):
    found = {a.read_run().config["variant"]["ffn"]["name"]: a for a in attempts(results)}
    return found["faulty"]


def bits(results):
    """Everything of the run that had to be stopped, and of the sound one, to the last bit."""
    return [seen(attempt) for attempt in attempts(results)]


@pytest.fixture
def whole(small, tmp_path):
    """The results of the experiment without its fault."""
    folder = tmp_path / "whole"
    file = write_faulty(folder, small, DIES)
    (folder / "mended").touch()
    assert ablate("run", file, "--inline", results=folder / "results").code == 0
    return bits(folder / "results")


@pytest.fixture
def stopped(small, tmp_path):
    """An experiment whose process was killed in step 7 of a run, and its results."""
    file, results = write_faulty(tmp_path, small, DIES), tmp_path / "results"
    with pytest.raises(RuntimeError, match="exit code -9"):
        ablate("run", file, "--inline", "--checkpoint-seconds", "0", results=results)
    (tmp_path / "mended").touch()
    return file, results


def test_it_is_told_after_which_step_a_run_goes_on(small, tmp_path, whole):
    """From the shell, where a worker is killed and the others finish."""
    file, results = write_faulty(tmp_path, small, DIES), tmp_path / "results"
    ended = run(file, results, "--checkpoint-seconds", "0")
    assert ended.returncode == 1
    assert "interrupted" in ended.stdout
    assert "1 runs failed, diverged or were stopped; the same command" in ended.stderr
    assert faulty_of(results).status is Status.INTERRUPTED
    (tmp_path / "mended").touch()
    planned = ablate("plan", file, results=results).out
    assert "training 1 (1 of them taken up where they were stopped)" in planned
    ended = run(file, results)
    assert ended.returncode == 0, ended.stderr
    assert "\nresume   faulty seed 0 after step 6\n" in ended.stdout
    assert "damaged" not in ended.stdout
    assert bits(results) == whole


def test_a_damaged_checkpoint_is_told_with_its_file_and_the_one_before_is_used(stopped, whole):
    file, results = stopped
    newest = faulty_of(results).checkpoints.folder / "step-000000006"
    tensors = newest / "state.safetensors"
    content = bytearray(tensors.read_bytes())
    content[-9] ^= 4
    tensors.write_bytes(content)
    ended = ablate("run", file, "--inline", results=results)
    assert ended.code == 0, ended.err
    problem = f"{newest}: state.safetensors is not what was written"
    assert f"\ndamaged  {problem}; put aside as corrupt-step-000000006\n" in ended.out
    assert "\nresume   faulty seed 0 after step 5\n" in ended.out
    assert bits(results) == whole


def test_without_a_usable_checkpoint_it_begins_anew(stopped, whole):
    file, results = stopped
    for path in faulty_of(results).checkpoints.folder.glob("step-*"):
        (path / "state.json").write_text("{}")
    ended = ablate("run", file, "--inline", results=results)
    assert ended.code == 0, ended.err
    assert ended.out.count("\ndamaged  ") == 2
    assert "\nresume   faulty seed 0 from the beginning\n" in ended.out
    assert bits(results) == whole


@pytest.mark.parametrize(
    ("seconds", "kept"), [("0", [5, 6]), ("1000", [4, 6])], ids=["each", "best alone"]
)
def test_how_often_it_is_saved_is_an_option(small, tmp_path, seconds, kept):
    """The best evaluation so far is saved at once: here each of them, after every other step."""
    file, results = write_faulty(tmp_path, small, DIES), tmp_path / "results"
    with pytest.raises(RuntimeError, match="exit code -9"):
        ablate("run", file, "--inline", "--checkpoint-seconds", seconds, results=results)
    folder = faulty_of(results).checkpoints.folder
    assert sorted(path.name for path in folder.iterdir()) == [f"step-{n:09}" for n in kept]


def test_a_negative_time_between_saves_is_refused(small, tmp_path):
    file = write_faulty(tmp_path, small, DIES)
    ended = ablate("run", file, "--checkpoint-seconds", "-1", results=tmp_path / "results")
    assert ended.code == 2 and "--checkpoint-seconds" in ended.err
