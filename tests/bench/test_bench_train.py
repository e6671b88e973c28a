"""The benchmark reports every figure; what they are depends on the machine."""

import io
import math
from dataclasses import asdict

import pytest
import torch
from rich.console import Console

from harness.bench import loop
from harness.bench.train import Shape, bench_training, bench_view

SHAPE = Shape(16, 1, 2, 1, 32, 64, 2, 16, 1, "cpu")


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("transformers")
    threads = torch.get_num_threads()
    console = Console(file=io.StringIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "STEPS", 5)
        patch.setattr(loop, "ROUNDS", 3)
        found = bench_training(SHAPE, rounds=3, compiled=False, workers=False, console=console)
    torch.set_num_threads(threads)
    return found


def test_every_figure_is_there_and_finite(found):
    kinds = {"ours, eager", "transformers, eager"}
    assert found["shape"] == asdict(SHAPE)
    assert found["step_seconds"].keys() == found["tokens_per_second"].keys() == kinds
    for timing in found["step_seconds"].values():
        assert len(timing["rounds"]) == 3
        assert min(timing["rounds"]) > 0
        assert min(timing["rounds"]) <= timing["median"] <= max(timing["rounds"])
    for key in ("eager_ratio", "matmul_peak_flops", "share_of_peak"):
        assert found[key] > 0
        assert math.isfinite(found[key])
    assert math.isfinite(found["loop_seconds_per_step"])
    for kind in kinds:
        median = found["step_seconds"][kind]["median"]
        assert found["tokens_per_second"][kind] == pytest.approx(2 * 16 / median)


def test_what_was_not_timed_is_not_reported(found):
    assert not {"compiled_ratio", "two_workers_ratio"} & found.keys()


def test_the_figures_are_shown(found):
    console = Console(file=io.StringIO(), width=120)
    console.print(bench_view(found))
    shown = console.file.getvalue()
    assert "transformers eager / ours eager" in shown
    assert "compiled" not in shown
