"""The benchmark of updates times every optimizer there is."""

import io

import pytest
from rich.console import Console

from harness.bench.optimizers import GRADIENTS, bench_updates, updates_view
from harness.training.optimizers import OPTIMIZER


@pytest.fixture(scope="module")
def found(workload):
    return bench_updates(workload(16), 3, Console(file=io.StringIO()))


def test_every_optimizer_is_timed(found):
    assert [*found["seconds"]] == [GRADIENTS, *OPTIMIZER]
    assert all(len(timing["rounds"]) == 3 for timing in found["seconds"].values())


def test_a_share_is_of_the_whole_step(found):
    gradients = found["seconds"][GRADIENTS]["median"]
    for name in OPTIMIZER:
        update = found["seconds"][name]["median"]
        assert found[f"{name}_share"] == update / (gradients + update)


def test_the_figures_are_shown(found):
    console = Console(file=io.StringIO(), width=120)
    console.print(updates_view(found))
    assert f"{found['muon_share']:.1%}" in console.file.getvalue()
