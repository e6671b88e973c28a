"""The benchmark of attention times the component alone, at doubled lengths."""

import io

import pytest
import torch
from rich.console import Console

from harness.bench.attention import (
    KINDS,
    attention_step,
    attention_view,
    bench_kinds,
    doubled,
    faster_from,
)
from harness.core.slots import ATTENTION
from harness.errors import AblateError, ConfigError


@pytest.fixture(scope="module")
def found(workload):
    return bench_kinds(workload(16), KINDS, 4, 3, Console(file=io.StringIO()))


def test_every_kind_is_timed_at_every_length(found):
    assert [row["seq_len"] for row in found["rows"]] == [4, 8, 16]
    for row in found["rows"]:
        assert list(row["seconds"]) == list(row["ratio"]) == list(KINDS)
        assert row["ratio"][KINDS[0]] == 1
        assert all(len(timing["rounds"]) == 3 for timing in row["seconds"].values())
    assert list(found["faster_from"]) == list(KINDS[1:])


@pytest.mark.parametrize("kind", list(ATTENTION))
def test_any_registered_attention_can_be_timed(kind, workload):
    found = bench_kinds(workload(8), [kind], 8, 2, Console(file=io.StringIO()))
    assert found["rows"][0]["ratio"] == {kind: 1}


def test_forward_and_backward_of_the_attention_alone_are_timed(workload):
    load = workload(8)
    gradients = attention_step(load)()
    d_model, kv_width = 16, 8
    matrices = sorted(tuple(g.shape) for g in gradients if g.ndim == 2)
    assert gradients[0].shape == (2, 8, d_model)
    assert matrices == sorted([(d_model, d_model)] * 2 + [(kv_width, d_model)] * 2)
    assert all(torch.isfinite(g).all() and g.any() for g in gradients)


def test_a_kind_is_faster_from_the_length_after_which_it_stays_faster():
    ratios = [1.5, 0.9, 1.1, 2.0]
    rows = [{"seq_len": 2**i, "ratio": {"x": r, "y": 1 / r}} for i, r in enumerate(ratios)]
    assert faster_from(rows, "x") == 4
    assert faster_from(rows, "y") is None
    assert faster_from(rows[:1], "x") == 1


def test_lengths_are_doubled_within_the_longest():
    assert doubled(256, 4096) == [256, 512, 1024, 2048, 4096]
    assert doubled(3, 23) == [3, 6, 12]
    assert doubled(5, 5) == [5]
    with pytest.raises(AblateError, match=r"shortest \(6\)"):
        doubled(6, 5)


def test_an_unknown_kind_is_refused(workload):
    with pytest.raises(ConfigError, match="gqq"):
        bench_kinds(workload(8), ["gqa", "gqq"], 8, 2, Console(file=io.StringIO()))


def test_the_crossover_is_shown(found):
    console = Console(file=io.StringIO(), width=160)
    shown = {**found, "faster_from": {"linear": 8, "gated_delta": None}}
    console.print(attention_view(shown))
    text = console.file.getvalue()
    assert "linear: faster than gqa from 8 tokens on" in text
    assert "gated_delta: faster than gqa at the greatest length not" in text
