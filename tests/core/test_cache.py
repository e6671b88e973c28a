"""What caches hold, and what is known of their rows without asking the device.

That what is computed through a cache is right, is a contract of every component.
"""

import pytest
import torch

from harness.contracts.subject import LENGTH, TINY, Subject, distance, lively, logits, tokens
from harness.core.cache import Cache, CacheFull, CompositeCache, StateCache, TokenCache
from harness.core.context import Context
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.errors import AblateError

SUBJECT = Subject("attention", "gqa", {"n_kv_heads": 2})


@pytest.fixture
def cache():
    """Two rows of at most 6 tokens, each a number."""
    return TokenCache({"x": torch.zeros(2, 6)}, max_len=6)


def append(cache, entries, valid=None):
    entries = torch.tensor(entries, dtype=torch.float32)
    valid = None if valid is None else torch.tensor(valid)
    context = Context(torch.zeros(entries.shape, dtype=torch.long), valid, caches=[cache])
    so_far, positions = cache.append(context, x=entries)
    return so_far["x"].tolist(), None if positions is None else positions.tolist()


@pytest.mark.row("R2-26")
@torch.no_grad()
def test_a_cache_holds_rotated_normalised_keys_and_values_and_grows_by_the_new_tokens():
    model, batch = SUBJECT.model(), tokens()
    layer, seen = model.blocks[0], []
    layer.attention.register_forward_hook(lambda module, inputs, out: seen.append(inputs))
    caches = model.new_caches(2, LENGTH)
    assert len(caches) == 2
    logits(model, batch)
    x, context = seen[0]
    heads = (2, LENGTH, 2, 8)
    k = layer.attention.k_norm(layer.attention.k_proj(x).view(heads))
    _, k = layer.attention.position.rotate(k, k, context)
    v = layer.attention.v_proj(x).view(heads)
    so_far = 0
    for part in batch.split([5, 1, 1, 6], dim=1):
        logits(model, part, caches=caches)
        so_far += part.shape[1]
        assert caches[0].lengths.tolist() == caches[1].lengths.tolist() == [so_far] * 2
        for name, whole in {"k": k, "v": v}.items():
            held = caches[0].buffers[name]
            assert held.shape == heads
            assert distance(held[:, :so_far], whole[:, :so_far]) <= 1e-5
            assert not held[:, so_far:].any()
    caches[0].reset()
    assert caches[0].lengths.tolist() == [0, 0]
    assert not caches[0].buffers["k"].any()


@pytest.mark.row("R2-27")
def test_caches_used_in_turn_know_their_own_positions():
    model, batches = SUBJECT.model(), (tokens(), tokens(seed=5))
    caches = [model.new_caches(2, LENGTH) for _ in batches]
    parts = [[], []]
    for start, stop in [(0, 3), (3, 4), (4, 9), (9, 13)]:
        for cache, batch, outs in zip(caches, batches, parts, strict=True):
            outs.append(logits(model, batch[:, start:stop], caches=cache))
    for batch, outs in zip(batches, parts, strict=True):
        assert distance(torch.cat(outs, dim=1), logits(model, batch)) <= 1e-5
    for layer in caches[0]:
        layer.reset()
    assert distance(logits(model, batches[1], caches=caches[0]), logits(model, batches[1])) <= 1e-5


@pytest.mark.row("R3-09")
def test_a_cache_is_for_its_number_of_rows_and_tokens():
    model = SUBJECT.model()
    for n_rows, n_given in [(2, 3), (1, 3), (3, 1)]:
        with pytest.raises(AblateError, match=f"{n_given} rows of tokens for caches of {n_rows}"):
            logits(model, tokens(n_given), caches=model.new_caches(n_rows, LENGTH))
    with pytest.raises(AblateError, match=r"max_seq_len \(32\)"):
        model.new_caches(2, 33)
    with pytest.raises(AblateError, match="documents are given without caches"):
        logits(model, tokens(), documents=tokens(), caches=model.new_caches(2, LENGTH))
    caches = model.new_caches(2, 5)
    logits(model, tokens(length=4), caches=caches)
    with pytest.raises(CacheFull, match="at most 5 tokens: 4 tokens and 2 more"):
        logits(model, tokens(length=2), caches=caches)


def test_rows_of_one_length_are_written_side_by_side(cache):
    assert append(cache, [[1, 2], [3, 4]]) == ([[1, 2], [3, 4]], None)
    assert append(cache, [[5], [6]]) == ([[1, 2, 5], [3, 4, 6]], [[0, 1, 2]])
    assert cache.aligned


def test_rows_of_other_lengths_are_written_where_each_ends(cache):
    so_far, positions = append(cache, [[1, 2], [3, 0]], valid=[[True, True], [True, False]])
    assert (so_far, positions) == ([[1, 2], [3, 0]], None)
    assert not cache.aligned
    assert append(cache, [[5], [6]]) == ([[1, 2, 5], [3, 6, 0]], [[0, 1, 2]])
    assert cache.lengths.tolist() == [3, 2]


def test_keys_are_the_queries_own_only_where_there_was_nothing_before(cache):
    """Then attention needs no positions of keys, and obeys documents as in training."""
    assert append(cache, [[1, 2], [3, 4]])[1] is None
    cache.reset()
    assert append(cache, [[1], [3]])[1] is None
    cache.reset([0])
    assert append(cache, [[1], [3]])[1] == [[0, 1]]


def test_a_cache_knows_when_its_rows_have_one_length_again(cache):
    append(cache, [[1, 2, 3], [4, 5, 6]])
    cache.crop(torch.tensor([2, 1]))
    assert not cache.aligned
    cache.crop(torch.tensor([1, 1]))
    assert cache.aligned
    assert append(cache, [[7], [8]]) == ([[1, 7], [4, 8]], [[0, 1]])
    cache.reset([1])
    assert not cache.aligned
    other = TokenCache({"x": torch.zeros(1, 6)}, max_len=6)
    append(other, [[9, 9]])
    cache.insert(1, other)
    assert cache.aligned
    assert append(cache, [[1], [1]]) == ([[1, 7, 1], [9, 9, 1]], [[0, 1, 2]])


@pytest.mark.parametrize("windowed_first", [True, False])
def test_rows_cut_to_other_lengths_go_on_in_layers_of_either_kind(windowed_first):
    windowed, full = {"name": "gqa", "window": 8}, "gqa"
    layers = [windowed, full] if windowed_first else [full, windowed]
    model, batch = lively(LanguageModel(VariantSpec.read({**TINY, "attention": layers}))), tokens()
    caches = model.new_caches(2, LENGTH)
    logits(model, batch[:, :7], caches=caches)
    for cache in caches:
        cache.crop(torch.tensor([5, 3]))
        assert not cache.aligned
    out = logits(model, torch.stack([batch[0, 5:6], batch[1, 3:4]]), caches=caches)
    for row, n in enumerate((6, 4)):
        assert distance(out[row], logits(model, batch[row : row + 1, :n])[0, -1:]) <= 1e-5


def test_rows_that_were_padded_are_as_long_as_their_tokens(cache):
    """Room is counted in tokens, though padding may make a cache look fuller at first."""
    padding = [[False, False, False]] * 2
    for _ in range(3):
        append(cache, [[0, 0, 0]] * 2, valid=padding)
    so_far, _ = append(cache, [[1] * 5, [2] * 5])
    assert [row[:5] for row in so_far] == [[1] * 5, [2] * 5]
    assert cache.lengths.tolist() == [5, 5]


def test_entries_come_back_in_their_own_type_and_without_their_graph(cache):
    half = TokenCache({"x": torch.zeros(1, 3, dtype=torch.bfloat16)}, max_len=3)
    x = torch.tensor([[1.0]], requires_grad=True)
    for _ in range(2):
        context = Context(torch.zeros(1, 1, dtype=torch.long), caches=[half])
        so_far, _ = half.append(context, x=x)
    assert so_far["x"].dtype == torch.float32
    assert half.buffers["x"].dtype == torch.bfloat16
    assert not so_far["x"].requires_grad


def test_a_context_is_aligned_if_no_row_is_padded_or_ahead(cache):
    positions = torch.zeros(2, 2, dtype=torch.long)
    assert Context(positions).aligned
    assert not Context(positions, torch.ones(2, 2, dtype=torch.bool)).aligned
    composite = CompositeCache({"a": cache, "b": StateCache({"s": torch.zeros(2, 1)}, 6)})
    caches: list[Cache] = [composite]
    assert Context(positions, caches=caches).aligned
    append(cache, [[1, 2], [3, 0]], valid=[[True, True], [True, False]])
    assert not Context(positions, caches=caches).aligned
