"""Attention over masked keys against a definition that is written out query by query."""

import pytest
import torch

from harness.core.attend import allowed_keys, attend
from harness.core.context import Context

B, T, H, K, C = 2, 11, 6, 2, 4


def by_definition(q, k, v, may_read, bias=None, scale=C**-0.5):
    out = torch.zeros(*q.shape[:3], v.shape[-1])
    for b, t, h in torch.cartesian_prod(*map(torch.arange, q.shape[:3])):
        keys = [s for s in range(k.shape[1]) if may_read(int(b), int(t), s)]
        scores = torch.stack([q[b, t, h] @ k[b, s, h * K // H] * scale for s in keys])
        scores = scores if bias is None else scores + bias[0, h, t, keys]
        out[b, t, h] = scores.softmax(0) @ v[b, keys, h * K // H]
    return out


@pytest.fixture
def qkv():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(B, T, n, C, generator=generator) for n in (H, K, K)]


def context(**changes):
    return Context(torch.arange(T).expand(B, T), **changes)


DOCUMENTS = torch.tensor([[0] * 4 + [1] * 7, [0] * 8 + [1] * 3])


@pytest.mark.parametrize("window", [None, 1, 3, T - 1, T, T + 5])
@pytest.mark.parametrize("documents", [None, DOCUMENTS], ids=["one document", "documents"])
@pytest.mark.parametrize("biased", [False, True], ids=["", "biased"])
def test_a_query_reads_what_it_may_and_nothing_else(qkv, window, documents, biased):
    def may_read(b, t, s):
        together = documents is None or documents[b, t] == documents[b, s]
        return s <= t and together and (window is None or s > t - window)

    bias = torch.randn(1, H, T, T, generator=torch.Generator().manual_seed(1)) if biased else None
    ours = attend(*qkv, context(documents=documents), window=window, bias=bias)
    torch.testing.assert_close(ours, by_definition(*qkv, may_read, bias), rtol=1e-4, atol=1e-5)


def test_the_scale_can_be_chosen(qkv):
    theirs = by_definition(*qkv, lambda b, t, s: s <= t, scale=0.25)
    torch.testing.assert_close(attend(*qkv, context(), scale=0.25), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("window", [None, 3])
def test_padding_is_not_read_and_gives_no_nan(qkv, window):
    valid = torch.ones(B, T, dtype=torch.bool)
    valid[0, :4], valid[1, 9:] = False, False
    positions = (valid.cumsum(1) - 1).clamp(min=0)
    out = attend(*qkv, Context(positions, valid), window=window)
    assert out.isfinite().all()
    theirs = by_definition(
        *qkv, lambda b, t, s: s <= t and (s == t or bool(valid[b, s])) and s > t - (window or T)
    )
    torch.testing.assert_close(out[valid], theirs[valid], rtol=1e-4, atol=1e-5)


def test_a_row_of_nothing_but_padding_still_reads_something():
    """Not every kernel gives a number for a query without keys."""
    valid = torch.tensor([[False] * T, [True] * T])
    positions = (valid.cumsum(1) - 1).clamp(min=0)
    assert allowed_keys(Context(positions, valid), None, None).any(-1).all()


def test_values_may_be_wider_than_keys(qkv):
    q, k, _ = qkv
    v = torch.randn(B, T, K, 7)
    assert attend(q, k, v, context()).shape == (B, T, H, 7)


def test_layers_with_other_key_positions_do_not_share_a_mask(qkv):
    """Each tensor is gone before the next is made, and may then lie at the same address."""
    shared = context()
    for shift in range(T - 1):
        found, fresh = (
            attend(*qkv, where, key_positions=torch.arange(T).sub(shift)[None])
            for where in (shared, context())
        )
        assert torch.equal(found, fresh)


def test_layers_with_other_windows_do_not_share_a_mask(qkv):
    shared = context()
    for window in (2, 5, 3):
        fresh = attend(*qkv, context(), window=window)
        assert torch.equal(attend(*qkv, shared, window=window), fresh)
