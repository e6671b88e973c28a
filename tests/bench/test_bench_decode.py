"""The benchmark of decoding times three ways to the same tokens."""

import io

import pytest
from rich.console import Console

from harness.bench.decode import bench_decoding, decoding_view
from harness.errors import AblateError


@pytest.fixture(scope="module")
def found(workload):
    pytest.importorskip("transformers")
    load = workload(5, "max_seq_len=12")
    return bench_decoding(load, 7, 3, Console(file=io.StringIO()))


@pytest.mark.row("R2-29")
def test_every_figure_is_there(found):
    kinds = ["ours", "ours, no cache", "transformers"]
    assert list(found["seconds"]) == kinds
    for kind in kinds:
        median = found["seconds"][kind]["median"]
        assert found["tokens_per_second"][kind] == pytest.approx(2 * 7 / median)
    assert found["ratio"] > 0
    assert found["cache_ratio"] > 0


def test_all_ways_decode_the_same_tokens(found):
    assert found["same_tokens"] is True


def test_the_figures_are_shown(found):
    console = Console(file=io.StringIO(), width=120)
    console.print(decoding_view(found))
    assert "Greedy decoding of 7 tokens after 5" in console.file.getvalue()


def test_more_tokens_than_positions_are_refused(workload):
    pytest.importorskip("transformers")
    with pytest.raises(AblateError, match="max_seq_len"):
        bench_decoding(workload(5, "max_seq_len=12"), 8, 3, Console(file=io.StringIO()))
