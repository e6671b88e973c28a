"""A run whose numbers become infinite or NaN stops there, and leaves nothing of that."""

import pytest
from faults import write_faulty
from lab import ablate, attempts

from harness.store.status import Status
from harness.training.state import TrainingState

SAVES_ALL = ("--inline", "--checkpoint-seconds", "0")
FAULTS = {
    "a loss": ("if self.n == 7: return y * float('nan')", "the loss is nan at step 7"),
    "a gradient": ("if self.n == 7: return Explode.apply(y)", "the gradient norm is nan at step 7"),
    # measured, and saved if it were of use, before the next step tells
    "an update": ("if self.n == 7: break_the_update(self)", "the loss is nan at step 8"),
    "an update before an evaluation": (
        "if self.n == 8: break_the_update(self)",
        "the held-out loss is nan after step 8",
    ),
}


def attempt_at(arm, results):
    ffn = {"sound": "swiglu"}.get(arm, arm)
    found = {a.read_run().config["variant"]["ffn"]["name"]: a for a in attempts(results)}
    return found[ffn]


@pytest.mark.parametrize(("fault", "cause"), FAULTS.values(), ids=FAULTS)
def test_it_is_told_with_its_step_and_nothing_of_it_is_kept(small, tmp_path, fault, cause):
    file, results = write_faulty(tmp_path, small, fault), tmp_path / "results"
    ended = ablate("run", file, *SAVES_ALL, results=results)
    assert ended.code == 1, ended.err
    faulty, sound = attempt_at("faulty", results), attempt_at("sound", results)
    assert faulty.status is Status.DIVERGED and sound.status is Status.DONE
    assert faulty.read_result().cause.startswith(cause)
    assert f"diverged faulty seed 0: {cause}" in ended.out
    last = int(cause.rsplit(" ", 1)[1]) - 1
    assert [point["step"] for point in faulty.read_curve()] == list(range(1, last + 1))
    left = {path.name for path in faulty.path.iterdir()}
    assert left == {"run.json", "curve.jsonl", "heartbeat.json", "result.json", "lock"}


def test_a_broken_state_never_takes_the_place_of_a_good_one(small, tmp_path):
    fault = "break_the_update(self) if self.n == 7 else die() if self.n == 8 else None"
    file, results = write_faulty(tmp_path, small, fault), tmp_path / "results"
    with pytest.raises(RuntimeError, match="exit code -9"):
        ablate("run", file, *SAVES_ALL, results=results)
    faulty = attempt_at("faulty", results)
    assert [point["step"] for point in faulty.read_curve()] == list(range(1, 8))
    kept = sorted(path.name for path in faulty.checkpoints.folder.iterdir())
    assert kept == ["step-000000005", "step-000000006"]
    for name in kept:
        assert TrainingState.load(faulty.checkpoints.folder / name).is_finite
    (tmp_path / "mended").touch()
    ended = ablate("run", file, *SAVES_ALL, results=results)
    assert ended.code == 0, ended.err
    assert "resume   faulty seed 0 after step 6" in ended.out
