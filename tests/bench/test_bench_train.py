"""The benchmark reports every figure; what they are depends on the machine."""

import io
import math

import pytest
from rich.console import Console

from harness.bench import loop
from harness.bench.train import bench_training, training_view


@pytest.fixture(scope="module")
def found(workload):
    pytest.importorskip("transformers")
    console = Console(file=io.StringIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "STEPS", 5)
        patch.setattr(loop, "ROUNDS", 3)
        return bench_training(workload(16), 3, compiled=False, workers=False, console=console)


def test_every_figure_is_there_and_finite(found, workload):
    kinds = {"ours, eager", "transformers, eager"}
    assert found["workload"] == workload(16).to_dict()
    assert found["seconds"].keys() == found["tokens_per_second"].keys() == kinds
    for timing in found["seconds"].values():
        assert len(timing["rounds"]) == 3
        assert min(timing["rounds"]) > 0
        assert min(timing["rounds"]) <= timing["median"] <= max(timing["rounds"])
    for key in ("eager_ratio", "matmul_peak_flops", "share_of_peak"):
        assert found[key] > 0
        assert math.isfinite(found[key])
    assert math.isfinite(found["loop_seconds_per_step"])
    for kind in kinds:
        median = found["seconds"][kind]["median"]
        assert found["tokens_per_second"][kind] == pytest.approx(2 * 16 / median)


def test_what_was_not_timed_is_not_reported(found):
    assert not {"compiled_ratio", "two_workers_ratio"} & found.keys()


def test_the_figures_are_shown(found):
    console = Console(file=io.StringIO(), width=120)
    console.print(training_view(found))
    shown = console.file.getvalue()
    assert "transformers eager / ours eager" in shown
    assert "compiled" not in shown
