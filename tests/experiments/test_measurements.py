"""What is measured of a run beside its losses is kept with it, and comes into the tables."""

import pytest
import torch

from harness.experiments.local import run_inline
from harness.store.runs import RunStore
from harness.store.tables import collect

CPU = torch.device("cpu")


@pytest.fixture
def trained(small, plan, tmp_path, deterministic):
    """Train one run of two layers; return its plan, its store and its attempt."""
    arms = {"only": {"variant": {"n_layers": 2}}}
    planned, store = plan(small(arms=arms, baseline="only", seeds=1)), RunStore(tmp_path / "runs")
    assert not [event for event in run_inline(planned.pending, store, CPU, 1) if event.cause]
    return planned, store, store.attempts(planned.runs[0].run_id)[0]


def test_activations_by_layer_are_in_the_curve_and_the_result(trained):
    planned, store, attempt = trained
    *_, last = points = attempt.read_curve()
    evaluated = [point for point in points if "val_loss" in point]
    assert len(evaluated) == 2
    for point in evaluated:
        assert list(point["activations"]) == ["residual", "attention", "ffn"]
        assert all(
            len(layers) == 2 for of in point["activations"].values() for layers in of.values()
        )
        assert point["activation_max"] == max(point["activations"]["residual"]["max"])
    result = attempt.read_result()
    assert result.activations["ffn"]["rms"] == last["activations"]["ffn"]["rms"]
    assert result.metrics["activation_rms_max"] == last["activation_rms_max"]
    table, curves = collect(planned.record, store)
    assert table["activation_max"][0] == result.metrics["activation_max"]
    assert list(curves["activation_rms_max"].dropna()) == [
        point["activation_rms_max"] for point in evaluated
    ]
    assert "activations" not in curves
