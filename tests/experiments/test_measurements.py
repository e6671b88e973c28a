"""What is measured of a run beside its losses is kept with it, and comes into the tables."""

import io

import pytest
import torch
from rich.console import Console

from harness.analysis.units import size
from harness.analysis.verdicts.compare import compare
from harness.analysis.words.rendering import arm_table
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_inline
from harness.store.runs import RunStore
from harness.store.tables import collect

CPU = torch.device("cpu")


@pytest.fixture
def trained(small, plan, tmp_path, deterministic):
    """Train one run of two layers; return its plan, its store and its attempt."""
    arms = {"only": {"variant": {"n_layers": 2}}}
    planned, store = plan(small(arms=arms, baseline="only", seeds=1)), RunStore(tmp_path / "runs")
    assert not [
        event for event in run_inline(planned.pending, store, Execution(CPU)) if event.cause
    ]
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


def test_memory_and_the_share_of_peak_are_in_the_curve_the_result_and_the_tables(trained):
    planned, store, attempt = trained
    result, points = attempt.read_result(), attempt.read_curve()
    peak = {p["tokens_per_s"] * p["flops"] / p["tokens"] / p["share_of_peak"] for p in points}
    assert max(peak) == pytest.approx(min(peak))  # measured once
    speed = result.metrics["tokens_per_s"] * points[-1]["flops"] / points[-1]["tokens"]
    assert result.metrics["share_of_peak"] == pytest.approx(speed / max(peak))
    memory = [point["peak_memory"] for point in points]
    assert memory == sorted(memory) and memory[0] > 0
    assert result.metrics["peak_memory"] == memory[-1]
    table, curves = collect(planned.record, store)
    assert table["peak_memory"][0] == memory[-1] and list(curves["peak_memory"]) == memory
    assert table["share_of_peak"][0] == result.metrics["share_of_peak"]
    (arm,) = compare(planned.record, table).arms
    assert (arm.peak_memory, arm.share_of_peak) == (memory[-1], table["share_of_peak"][0])
    assert attempt.read_heartbeat().share_of_peak in {point["share_of_peak"] for point in points}


def test_tables_of_earlier_versions_tell_neither(trained):
    planned, store, _ = trained
    table, _ = collect(planned.record, store)
    earlier = table.drop(columns=["share_of_peak", "peak_memory"])
    (arm,) = compare(planned.record, earlier).arms
    assert (arm.peak_memory, arm.share_of_peak) == (None, None)
    drawn = [drawn_table(planned.record, one) for one in (table, earlier)]
    said = f"training held {size(table['peak_memory'][0])} at most, at "
    assert [said in " ".join(text.split()) for text in drawn] == [True, False]


def drawn_table(plan, runs):
    console = Console(file=io.StringIO(), width=80)
    console.print(arm_table(compare(plan, runs), plan))
    return console.file.getvalue()
