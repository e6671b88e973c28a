"""Attention over masked keys against a definition in double precision."""

import math

import pytest
import torch

from harness.core.attend import attend
from harness.core.context import Context
from harness.core.flops import FlopCounter
from harness.core.masks import allowed_keys
from harness.core.window_blocks import BLOCK, WindowBlocks

B, T, H, K, C = 2, 11, 6, 2, 4
LONG = 4 * BLOCK + 17  # cut into blocks, the last of them filled up


def by_definition(q, k, v, readable, bias=None, scale=C**-0.5, softcap=None, sinks=None):
    """Exponentials of the scores of readable keys, over their sum: one row and head at a time."""
    out = torch.zeros(*q.shape[:3], v.shape[-1], dtype=torch.float64)
    for b, h in torch.cartesian_prod(torch.arange(len(q)), torch.arange(q.shape[2])).tolist():
        of_keys = h * k.shape[2] // q.shape[2]
        scores = q[b, :, h].double() @ k[b, :, of_keys].double().T * scale
        if softcap is not None:
            scores = softcap * (scores / softcap).tanh()
        if bias is not None:
            scores = scores + bias[b % len(bias), h]
        shares = scores.exp() * readable[b % len(readable)]
        total = shares.sum(-1, keepdim=True) + (0 if sinks is None else sinks[h].double().exp())
        out[b, :, h] = shares / total @ v[b, :, of_keys].double()
    return out


def may_read(n_tokens, window=None, documents=None, valid=None):
    """(B, T, S): the keys that each query may read, padding also itself."""
    t, s = torch.arange(n_tokens)[:, None], torch.arange(n_tokens)
    readable = ((s <= t) & (s > t - (window or n_tokens)))[None]
    if documents is not None:
        readable = readable & (documents[:, :, None] == documents[:, None])
    return readable if valid is None else readable & valid[:, None] | (s == t)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_qkv(n_tokens=T, n_heads=H, n_kv_heads=K):
    return [
        random(B, n_tokens, n, C, seed=i) for i, n in enumerate((n_heads, n_kv_heads, n_kv_heads))
    ]


@pytest.fixture
def qkv():
    return random_qkv()


def context(n_tokens=T, valid=None, **changes):
    positions = torch.arange(n_tokens).expand(B, n_tokens)
    if valid is not None:
        positions = (valid.cumsum(1) - 1).clamp(min=0)
    return Context(positions, valid, **changes)


def weights(q, k, context, **how):
    """Attention weights (B T H S), read off by giving every key a value of its own."""
    n_keys = k.shape[1]
    ones = torch.eye(n_keys)[None, :, None].expand(len(q), -1, k.shape[2], -1)
    return attend(q, k, ones, context, **how)


def assert_near(ours, theirs, tolerance=1e-5):
    torch.testing.assert_close(ours.double(), theirs.double(), rtol=tolerance, atol=tolerance)


DOCUMENTS = torch.tensor([[0] * 4 + [1] * 7, [0] * 8 + [1] * 3])
SCORES = [{}, {"softcap": 1.5}, {"sinks": random(H, seed=9)},
          {"softcap": 0.7, "sinks": random(H, seed=8)}]  # fmt: skip


@pytest.mark.row("R0-08")
@pytest.mark.parametrize("scores", SCORES, ids=["plain", "softcap", "sinks", "both"])
@pytest.mark.parametrize("window", [None, 1, 3, T - 1, T, T + 5])
@pytest.mark.parametrize("documents", [None, DOCUMENTS], ids=["one document", "documents"])
@pytest.mark.parametrize("biased", [False, True], ids=["", "biased"])
def test_a_query_reads_what_it_may_and_nothing_else(qkv, window, documents, biased, scores):
    bias = random(1, H, T, T, seed=5) if biased else None
    ours = attend(*qkv, context(documents=documents), window=window, bias=bias, **scores)
    assert_near(ours, by_definition(*qkv, may_read(T, window, documents), bias, **scores))


def padded_sides(n_tokens):
    valid = torch.ones(B, n_tokens, dtype=torch.bool)
    valid[0, : n_tokens // 3], valid[1, -(n_tokens // 4) :] = False, False
    return valid


SURROUNDINGS = {
    "alone": {},
    "documents": {"documents": (torch.arange(LONG) * torch.tensor([[3], [5]])) // 200},
    "padding": {"valid": padded_sides(LONG)},
    "both": {"documents": torch.arange(LONG).expand(B, -1) // 90, "valid": padded_sides(LONG)},
}


@pytest.mark.parametrize("scores", SCORES[::3], ids=["plain", "softcap and sinks"])
@pytest.mark.parametrize("biased", [False, True], ids=["", "biased"])
@pytest.mark.parametrize("around", SURROUNDINGS.values(), ids=SURROUNDINGS)
@pytest.mark.parametrize("window", [1, 2, BLOCK, BLOCK + 1, BLOCK + 2, 2 * BLOCK + 1])
def test_a_sequence_cut_into_blocks_keeps_its_values_and_gradients(window, around, biased, scores):
    assert WindowBlocks(LONG, window).n_keys < LONG
    valid = around.get("valid", torch.ones(B, LONG, dtype=torch.bool))
    inputs = [x.requires_grad_() for x in random_qkv(LONG)]
    bias = random(1, H, LONG, LONG, seed=5).requires_grad_() if biased else None
    leaves = inputs if bias is None else [*inputs, bias]
    ours = attend(*inputs, context(LONG, **around), window=window, bias=bias, **scores)
    theirs = by_definition(*inputs, may_read(LONG, window, **around), bias, **scores)
    assert ours.isfinite().all()
    assert_near(ours[valid], theirs[valid])
    towards = random(*ours.shape, seed=7)[valid]
    for mine, right in zip(
        torch.autograd.grad((ours[valid] * towards).sum(), leaves),
        torch.autograd.grad((theirs[valid] * towards).sum(), leaves),
        strict=True,
    ):
        assert_near(mine, right, 2e-5)


def test_cutting_needs_no_multiple_and_starts_where_it_pays():
    """Around the shortest length at which blocks have fewer pairs than the square."""
    for n_tokens in (2 * BLOCK - 1, 2 * BLOCK, 2 * BLOCK + 1, 3 * BLOCK):
        inputs = random_qkv(n_tokens)
        ours = attend(*inputs, context(n_tokens), window=5)
        assert_near(ours, by_definition(*inputs, may_read(n_tokens, 5)))


def test_rows_of_a_cut_batch_are_strangers():
    """An infinity in one row stays in it: blocks of rows lie side by side in one batch."""
    q, k, v = random_qkv(LONG)
    whole = attend(q, k, v, context(LONG), window=70)
    v[0] = float("inf")
    assert torch.equal(attend(q, k, v, context(LONG), window=70)[1], whole[1])


@pytest.mark.parametrize("softcap", [None, 3.0])
def test_the_flops_of_a_window_are_those_of_its_blocks(softcap):
    inputs = random_qkv(LONG)
    with FlopCounter() as counter:
        attend(*inputs, context(LONG), window=BLOCK + 1, softcap=softcap)
    n_blocks, n_keys = 5, 2 * BLOCK
    assert counter.get_total_flops() == 2 * B * H * (n_blocks * BLOCK) * n_keys * (C + C)
    with FlopCounter() as counter:
        attend(*inputs, context(LONG), window=4 * BLOCK, softcap=softcap)
    assert counter.get_total_flops() == 2 * B * H * LONG * LONG * (C + C)


@pytest.mark.parametrize("scores", SCORES[::3], ids=["plain", "softcap and sinks"])
def test_the_scale_can_be_chosen(qkv, scores):
    theirs = by_definition(*qkv, may_read(T), scale=0.25, **scores)
    assert_near(attend(*qkv, context(), scale=0.25, **scores), theirs)


@pytest.mark.row("R1-17")
@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize(
    "around",
    [{}, {"documents": DOCUMENTS}, {"valid": padded_sides(T)}],
    ids=["alone", "documents", "padding"],
)
@pytest.mark.parametrize("cached", [False, True], ids=["own keys", "keys of a cache"])
def test_fused_and_written_out_attention_agree(qkv, window, around, cached):
    """A sink of minus infinity takes no share, but makes the scores be written out."""
    q, k, v = qkv
    how = {"window": window}
    if cached:
        q, how["key_positions"] = q[:, -4:], torch.arange(T)[None]
        around = {name: x[:, -4:] for name, x in around.items()}
    n_queries = q.shape[1]
    surroundings = context(n_queries, **around)
    if cached:
        surroundings.positions = surroundings.positions + T - 4
    nobody = torch.full((H,), float("-inf"))
    fused = attend(q, k, v, surroundings, **how)
    assert_near(attend(q, k, v, surroundings, sinks=nobody, **how), fused)


@pytest.mark.row("R2-10")
@pytest.mark.parametrize("softcap", [None, 5.0])
@pytest.mark.parametrize("documents", [None, DOCUMENTS], ids=["one document", "documents"])
def test_weights_sum_to_one_and_are_exactly_zero_on_later_keys(qkv, documents, softcap):
    q, k, _ = qkv
    found = weights(100 * q, k, context(documents=documents), softcap=softcap)  # B T H S
    assert_near(found.sum(-1), torch.ones(B, T, H), 1e-6)
    hidden = ~may_read(T, None, documents)[:, :, None].expand_as(found)
    assert not found[hidden].any() and found.isfinite().all()


@pytest.mark.row("R3-10")
def test_attention_is_causal_unless_something_narrower_is_said(qkv):
    q, k, _ = qkv
    seen = weights(q, k, context()) > 0
    assert torch.equal(seen, may_read(T)[:, :, None].expand_as(seen))


@pytest.mark.row("R2-34")
@pytest.mark.parametrize(("n_tokens", "window"), [(T, 1), (T, 4), (LONG, 1), (LONG, 70)])
def test_a_token_reads_exactly_as_many_keys_as_its_window_holds(n_tokens, window):
    q, k, _ = random_qkv(n_tokens)
    counts = (weights(q, k, context(n_tokens), window=window) > 0).sum(-1)
    expected = (torch.arange(n_tokens) + 1).clamp(max=window)
    assert torch.equal(counts, expected[None, :, None].expand_as(counts))


@pytest.mark.row("R0-12", "R2-05", "R3-06", "R4-03")
@pytest.mark.parametrize("softcap", [None, 5.0])
@pytest.mark.parametrize("n_kv_heads", [1, 2, 3, 6])
def test_query_heads_in_a_row_share_a_key_value_head(n_kv_heads, softcap):
    q, k, v = random_qkv(n_kv_heads=n_kv_heads)
    shared = attend(q, k, v, context(), softcap=softcap)
    repeated = (x.repeat_interleave(H // n_kv_heads, dim=2) for x in (k, v))
    assert_near(shared, attend(q, *repeated, context(), softcap=softcap), 1e-6)
    v = torch.arange(n_kv_heads).float()[None, None, :, None].expand_as(v)  # the value says whose
    readers = attend(q, k, v, context(), softcap=softcap)
    assert_near(readers[0, -1, :, 0], torch.arange(H) // (H // n_kv_heads))


def test_a_soft_cap_bends_scores_before_they_are_masked_and_biased():
    """Two keys of scores 6 and 0 under a cap of 2, then biases of 0 and 1; a third is hidden."""
    q, k = torch.tensor([6.0]).view(1, 1, 1, 1), torch.tensor([1.0, 0.0, 9.0]).view(1, 3, 1, 1)
    about = {"key_positions": torch.tensor([[0, 1, 2]]), "scale": 1.0, "softcap": 2.0}
    found = weights(q, k, Context(torch.tensor([[1]])), **about)[0, 0, 0]
    first = math.exp(2 * math.tanh(3))
    assert_near(found, torch.tensor([first, 1, 0]) / (first + 1))
    bias = torch.tensor([0.0, 1.0, 0.0]).view(1, 1, 1, 3)
    found = weights(q, k, Context(torch.tensor([[1]])), bias=bias, **about)[0, 0, 0]
    assert_near(found, torch.tensor([first, math.e, 0]) / (first + math.e))


def test_a_sink_takes_its_share_of_the_softmax_and_gives_nothing():
    """Scores of ln 3 and 0 beside a sink of ln 4: shares of 3, 1 and 4 eighths."""
    q, k = torch.tensor([math.log(3)]).view(1, 1, 1, 1), torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    about = {"key_positions": torch.tensor([[0, 1]]), "scale": 1.0}
    sink = torch.tensor([math.log(4)])
    found = weights(q, k, Context(torch.tensor([[1]])), sinks=sink, **about)[0, 0, 0]
    assert_near(found, torch.tensor([3 / 8, 1 / 8]))


@pytest.mark.parametrize("n_tokens", [T, LONG])
@pytest.mark.parametrize("softcap", [None, 50.0])
def test_dropout_drops_weights_and_scales_up_the_rest(n_tokens, softcap):
    q, k, _ = random_qkv(n_tokens)
    how = {"window": 8, "softcap": softcap}
    whole = weights(q, k, context(n_tokens), **how)
    torch.manual_seed(0)
    found = weights(q, k, context(n_tokens, dropout=0.3), **how)
    kept = found > 0
    assert_near(found[kept], whole[kept] / 0.7)
    assert kept.sum() / (whole > 0).sum() == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("scores", SCORES[::3], ids=["plain", "softcap and sinks"])
def test_padding_is_not_read_and_gives_no_nan(qkv, window, scores):
    valid = padded_sides(T)
    out = attend(*qkv, context(valid=valid), window=window, **scores)
    assert out.isfinite().all()
    assert_near(out[valid], by_definition(*qkv, may_read(T, window, None, valid), **scores)[valid])


def test_a_row_of_nothing_but_padding_still_reads_something():
    """Not every kernel gives a number for a query without keys."""
    valid = torch.tensor([[False] * T, [True] * T])
    assert allowed_keys(context(valid=valid), None, None).any(-1).all()


def test_values_may_be_wider_than_keys(qkv):
    q, k, _ = qkv
    v = random(B, T, K, 7)
    for softcap in (None, 5.0):
        theirs = by_definition(q, k, v, may_read(T), softcap=softcap)
        assert_near(attend(q, k, v, context(), softcap=softcap), theirs)


def test_layers_with_other_key_positions_do_not_share_a_mask(qkv):
    """Each tensor is gone before the next is made, and may then lie at the same address."""
    shared = context()
    for shift in range(T - 1):
        found, fresh = (
            attend(*qkv, where, key_positions=torch.arange(T).sub(shift)[None])
            for where in (shared, context())
        )
        assert torch.equal(found, fresh)


@pytest.mark.parametrize("n_tokens", [T, LONG])
def test_layers_with_other_windows_do_not_share_a_mask(n_tokens):
    qkv, shared = random_qkv(n_tokens), context(n_tokens)
    for window in (2, 5, 3):
        fresh = attend(*qkv, context(n_tokens), window=window)
        assert torch.equal(attend(*qkv, shared, window=window), fresh)


def test_rows_of_a_cache_may_be_at_positions_of_their_own():
    """One query a row, at positions 3 and 7, over keys that do not stand in order."""
    q, k, v = (x[:, :n] for x, n in zip(random_qkv(), (1, 5, 5), strict=True))
    positions = torch.tensor([[4, 1, 2, 3, 90], [4, 5, 6, 7, 3]])
    where = Context(torch.tensor([[3], [7]]))
    readable = torch.tensor([[[0, 0, 1, 1, 0]], [[0, 0, 1, 1, 0]]])
    ours = attend(q, k, v, where, key_positions=positions, window=2)
    assert_near(ours, by_definition(q, k, v, readable))
