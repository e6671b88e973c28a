"""Options of training that do not change what is learned, and what a result says of gradients."""

import pytest
import torch

from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_inline
from harness.store.runs import RunStore

CPU = torch.device("cpu")
GELU = {"gelu": {"variant": {"ffn": "gelu"}}}


def trained(plan, folder):
    """Train all runs of a plan and return their results by arm."""
    store = RunStore(folder)
    ended = list(run_inline(plan.pending, store, Execution(CPU)))
    assert [event.cause for event in ended] == [None] * len(ended)
    return {r.arm: store.attempts(r.run_id)[0].read_result() for r in plan.pending}


def options(small, plan, key):
    arms = {"plain": {}, "other": {"train": {key: True}}}
    return plan(small(arms=arms, baseline="plain", seeds=1))


@pytest.mark.row("R1-16")
def test_a_checkpointed_run_learns_what_the_plain_one_does(small, plan, tmp_path, deterministic):
    planned = options(small, plan, "gradient_checkpointing")
    results = trained(planned, tmp_path)
    assert results["other"].metrics["val_loss"] == pytest.approx(
        results["plain"].metrics["val_loss"], rel=1e-5
    )
    memory = {name: arm.memory for name, arm in planned.arms.items()}
    assert memory["other"] < memory["plain"]
    assert len({run.run_id for run in planned.pending}) == 2


def test_an_option_left_at_its_default_is_no_part_of_a_run_s_identity(small, plan):
    said = {"train": {"gradient_checkpointing": False, "compile": False}}
    planned = plan(small(arms={"said": said, "unsaid": {}}, baseline="unsaid", seeds=1))
    assert len({run.run_id for run in planned.pending}) == 1


@pytest.mark.row("R4-13")
def test_a_result_holds_the_gradient_of_every_layer_at_both_ends(
    small, plan, tmp_path, deterministic
):
    arms = {b: {"variant": {"block": b, "n_layers": 3}} for b in ("pre_norm", "post_norm")}
    results = trained(plan(small(arms=arms, baseline="pre_norm", seeds=1)), tmp_path)
    for result in results.values():
        norms = result.grad_norm_by_layer
        assert {end: len(layers) for end, layers in norms.items()} == {"start": 3, "end": 3}
        assert all(norm > 0 for layers in norms.values() for norm in layers)
        assert norms["start"] != norms["end"]
