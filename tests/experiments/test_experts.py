"""What a run with experts leaves of their loads."""

import pytest
import torch

from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_inline
from harness.store.runs import RunStore
from harness.store.tables import collect

CPU = torch.device("cpu")
MOE = {"name": "moe", "n_experts": 5, "top_k": 3}


@pytest.mark.row("R2-21", "R2-22")
def test_loads_are_in_the_result_the_curve_and_the_table(small, plan, tmp_path, deterministic):
    arms = {"dense": {}, "moe": {"variant": {"n_layers": 2, "ffn": ["swiglu", MOE]}}}
    planned, store = plan(small(arms=arms, baseline="dense", seeds=1)), RunStore(tmp_path / "runs")
    assert not [
        event for event in run_inline(planned.pending, store, Execution(CPU)) if event.cause
    ]
    attempts = {run.arm: store.attempts(run.run_id)[0] for run in planned.pending}
    dense, moe = (attempts[arm].read_result() for arm in arms)
    assert dense.expert_tokens == {} and "expert_load_max" not in dense.metrics
    assert list(moe.expert_tokens) == [1]
    (counts,) = moe.expert_tokens.values()
    assert len(counts) == 5 and sum(counts) % 3 == 0
    assert moe.metrics["expert_load_max"] == max(counts) * 5 / sum(counts)
    *_, last = attempts["moe"].read_curve()
    assert last["expert_load_max"] == moe.metrics["expert_load_max"]
    assert last["auxiliary_loss"] == pytest.approx(0.001 * 3, rel=0.2)
    table, curves = collect(planned.record, store)
    loads = table.set_index("arm")["expert_load_max"]
    assert loads["moe"] == moe.metrics["expert_load_max"] and loads.isna()["dense"]
    assert (curves[curves.arm == "dense"]["auxiliary_loss"] == 0).all()
