"""The benchmark of saving counts what a run of five minutes would write."""

import io

import pytest
from rich.console import Console

from harness.bench.saves import bench_saves, saves_view


def test_the_share_is_of_what_was_timed_and_nothing_is_left(workload, tmp_path):
    console = Console(file=io.StringIO(), width=120)
    found = bench_saves(workload(16), 4, tmp_path / "results", console)
    medians = {name: timing["median"] for name, timing in found["seconds"].items()}
    assert found["saves"] == 5 + 5  # each minute, and at each evaluation
    spent = 10 * medians["checkpoint"] + 100 * medians["curve and heartbeat"]
    assert found["share"] == pytest.approx(spent / 300)
    assert found["checkpoint_bytes"] > 0
    assert list((tmp_path / "results").iterdir()) == []
    console.print(saves_view(found))
    assert "share of five minutes" in console.file.getvalue()
