"""A training that was left at an evaluation, and taken up again, is the training."""

import pytest

from harness.experiments.running.complete import complete
from harness.experiments.running.execution import Execution
from harness.experiments.running.pause import Until
from harness.experiments.running.worker import start_worker, worker_context
from harness.store.runs import RunStore
from harness.store.status import Status

pytestmark = pytest.mark.usefixtures("deterministic")


@pytest.fixture
def run(small, plan):
    """One planned run with four evaluations, with an average of its weights."""
    data = small(seeds=1)
    data["base"]["train"] |= {"budget": {"steps": 8}, "evaluations": 4, "ema": 0.9}
    return plan(data).runs[0]


def how(run):
    import torch

    return Execution(torch.device("cpu"))


def result_of(run, root, *fractions):
    """Train up to each fraction in turn, then to the end, in a store of its own."""
    attempt = RunStore(root).new_attempt(run.run_id, run.environment)
    for fraction in fractions:
        complete(run.config, [], attempt, how(run), Until(fraction))
        assert attempt.status is Status.INTERRUPTED
    complete(run.config, [], attempt, how(run))
    return attempt


def test_a_run_that_paused_at_rungs_ends_with_the_same_bits(run, tmp_path):
    whole = result_of(run, tmp_path / "whole")
    parts = result_of(run, tmp_path / "parts", 0.25, 0.5, 0.75)
    assert parts.read_result().weights_sha256 == whole.read_result().weights_sha256
    losses = [
        [(point["step"], point["train_loss"], point.get("val_loss")) for point in one.read_curve()]
        for one in (whole, parts)
    ]
    assert losses[0] == losses[1]
    assert [resumed.step for resumed in parts.read_resumes()] == [2, 4, 6]
    assert all(resumed.exact for resumed in parts.read_resumes())


def test_nothing_is_trained_beyond_the_rung(run, tmp_path):
    attempt = RunStore(tmp_path).new_attempt(run.run_id, run.environment)
    complete(run.config, [], attempt, how(run), Until(0.5))
    assert [point["fraction"] for point in attempt.read_curve()][-1] == 0.5
    assert attempt.checkpoints.newest(print).step == 4


def test_a_pause_that_never_comes_changes_nothing(run, tmp_path):
    attempt = RunStore(tmp_path).new_attempt(run.run_id, run.environment)
    complete(run.config, [], attempt, how(run), Until(1.0))
    assert attempt.status is Status.DONE
    assert not attempt.checkpoints.exist


def test_a_worker_pauses_too(run, tmp_path):
    attempt = RunStore(tmp_path).new_attempt(run.run_id, run.environment)
    worker = start_worker(worker_context(), run, attempt, True, how(run), Until(0.5))
    assert worker.complaint() is None
    assert worker.cause_of_death() is None
    assert attempt.status is Status.INTERRUPTED
    assert attempt.read_curve()[-1]["fraction"] == 0.5
