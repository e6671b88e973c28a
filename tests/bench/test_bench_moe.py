"""The benchmark of mixtures compares with both ways in which transformers computes experts."""

import io

import pytest
from rich.console import Console

from harness.bench.moe import MIXTURE, bench_mixture, mixture_view


@pytest.fixture(scope="module")
def found(workload):
    pytest.importorskip("transformers")
    load = workload(16, f"ffn={MIXTURE}", "ffn.d_ff=24")
    return bench_mixture(load, 3, Console(file=io.StringIO()))


def test_every_figure_is_there(found):
    kinds = ["ours", "transformers, grouped_mm", "transformers, eager"]
    assert list(found["seconds"]) == list(found["tokens_per_second"]) == kinds
    assert found["workload"]["variant"]["ffn"]["n_experts"] == 8
    assert all(len(timing["rounds"]) == 3 for timing in found["seconds"].values())


def test_ours_is_compared_with_the_default_and_with_the_faster_one(found):
    ours, *theirs = (found["seconds"][kind] for kind in found["seconds"])

    def median_ratio(other):
        ratios = [a / b for a, b in zip(other["rounds"], ours["rounds"], strict=True)]
        return sorted(ratios)[1]

    assert found["default_ratio"] == median_ratio(theirs[0])
    assert found["ratio"] == median_ratio(min(theirs, key=lambda timing: timing["median"]))


def test_the_figures_are_shown(found):
    console = Console(file=io.StringIO(), width=120)
    console.print(mixture_view(found))
    assert f"{found['ratio']:.2f} x" in console.file.getvalue()
