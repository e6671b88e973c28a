"""Linear biases: the slopes of the paper and of its authors' code, and where they are added."""

import math

import pytest
import torch

from harness.core.attend import attend
from harness.core.context import Context
from variants.position.alibi import slopes

CPU = torch.device("cpu")


@pytest.mark.parametrize("n_heads", [1, 2, 8, 16])
def test_slopes_of_a_power_of_two_are_a_geometric_sequence(n_heads):
    expected = torch.tensor([2 ** (-8 * h / n_heads) for h in range(1, n_heads + 1)])
    torch.testing.assert_close(slopes(n_heads, CPU), expected)


@pytest.mark.parametrize("n_heads", [3, 6, 12, 20])
def test_other_head_counts_fill_up_with_every_other_slope_of_twice_the_power(n_heads):
    power = 2 ** math.floor(math.log2(n_heads))
    between = slopes(2 * power, CPU)[0::2][: n_heads - power]
    assert len(between) == n_heads - power
    torch.testing.assert_close(slopes(n_heads, CPU), torch.cat((slopes(power, CPU), between)))


def test_slopes_of_twelve_heads_are_those_that_the_authors_print():
    printed = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625,
               0.70710678, 0.35355339, 0.17677670, 0.08838835]  # fmt: skip
    torch.testing.assert_close(slopes(12, CPU), torch.tensor(printed))


def test_the_bias_is_the_distance_times_the_slope(build):
    context = Context(torch.tensor([[3, 4], [0, 1]]), valid=torch.ones(2, 2, dtype=torch.bool))
    keys = torch.arange(6)[None]
    bias = build("alibi", 8, n_heads=2).bias(context, keys)
    assert bias.shape == (2, 2, 2, 6)
    for row, head, t, s in [(0, 0, 0, 0), (0, 1, 1, 2), (1, 0, 1, 0), (1, 1, 0, 0)]:
        distance = int(context.positions[row, t]) - s
        assert bias[row, head, t, s] == -(2.0 ** -(4 * (head + 1))) * distance


def test_attention_equals_that_of_the_authors_form_which_counts_keys_only(build, q):
    """Their bias is slope times key position: another constant for each query."""
    context = Context(torch.arange(40).expand(2, 40))
    ours = build("alibi", 16).bias(context, context.positions)
    theirs = slopes(4, CPU)[:, None, None] * torch.arange(40)
    mixed = [attend(q, q, q, context, bias=bias) for bias in (ours, theirs.expand(2, 4, 40, 40))]
    torch.testing.assert_close(*mixed, rtol=1e-5, atol=1e-5)
    assert (mixed[0] - attend(q, q, q, context)).abs().max() > 0.1
    assert len(ours) == 1  # made once for rows that are alike


def test_queries_and_keys_are_not_turned(build, rotated, q):
    assert torch.equal(rotated(build("alibi", 16), q), q)


def test_layers_share_the_bias_of_their_positions_and_not_that_of_others(build):
    context, alibi = Context(torch.arange(5)[None]), build("alibi", 8)
    first = alibi.bias(context, context.positions)
    assert alibi.bias(context, context.positions) is first
    assert alibi.bias(context, torch.arange(9)[None]).shape == (1, 4, 5, 9)
