import numpy as np
import pytest
import torch

from harness.core.targets import IGNORE
from harness.data.batches import batches, evaluation_batches
from harness.data.dataset import HeldOut, TokenDataset
from harness.data.order import BatchOrder
from harness.data.tokenizers import TOKENIZER
from harness.errors import ConfigError

CPU = torch.device("cpu")


def dataset(n_tokens, **changes):
    """Tokens that are their own position."""
    tokens = np.arange(n_tokens, dtype=np.uint16)
    return TokenDataset(
        train=tokens, held_out=[], tokenizer=TOKENIZER["byte"](), fingerprint="", **changes
    )


def take(data, steps, seed=0):
    order = batches(data, 4, 8, seed, CPU)
    return [order[step] for step in steps]


def test_tokens_and_targets_are_int64_windows_of_neighbours():
    tokens, targets, documents = batches(dataset(1000), 4, 8, 0, CPU)[5]
    assert documents is None
    assert tokens.shape == targets.shape == (4, 8)
    assert tokens.dtype == targets.dtype == torch.int64
    assert torch.equal(targets, tokens + 1)
    assert torch.equal(tokens, tokens[:, :1] + torch.arange(8))
    assert tokens.is_contiguous()
    assert targets.is_contiguous()


@pytest.mark.parametrize("epoch", [0, 1, 7])
def test_an_epoch_has_every_window_once(epoch):
    order = BatchOrder(n_tokens=4 * 6 * 8 + 1, batch_size=4, seq_len=8, seed=3)
    assert order.steps_per_epoch == 6
    assert order.tokens_per_epoch == 192
    steps = range(epoch * 6, epoch * 6 + 6)
    starts = np.concatenate([order.starts(step) for step in steps])
    assert sorted(starts) == list(range(0, 192, 8))
    assert list(starts) != sorted(starts)


def test_an_epoch_drops_what_does_not_fill_a_batch_but_not_always_the_same():
    order = BatchOrder(n_tokens=8 * 10, batch_size=4, seq_len=8, seed=0)  # 9 windows, 8 are used
    assert (order.n_windows, order.steps_per_epoch, order.tokens_per_epoch) == (9, 2, 64)
    epochs = [
        {*order.starts(2 * epoch).tolist(), *order.starts(2 * epoch + 1).tolist()}
        for epoch in range(12)
    ]
    assert all(len(epoch) == 8 for epoch in epochs)
    assert len(set(map(frozenset, epochs))) > 1


def test_the_last_token_is_only_a_target():
    assert BatchOrder(n_tokens=33, batch_size=4, seq_len=8, seed=0).n_windows == 4
    with pytest.raises(ConfigError):
        BatchOrder(n_tokens=32, batch_size=4, seq_len=8, seed=0)


def test_any_step_can_be_asked_for_in_any_order():
    steps = list(range(100))
    forward = take(dataset(1000), steps)
    backward = take(dataset(1000), reversed(steps))[::-1]
    for (a, b, _), (c, d, _) in zip(forward, backward, strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)


def test_a_seed_gives_the_same_batches_whatever_the_global_seed():
    torch.manual_seed(0)
    np.random.seed(0)
    first = take(dataset(1000), range(40), seed=5)
    torch.manual_seed(1)
    np.random.seed(1)
    second = take(dataset(1000), range(40), seed=5)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, second, strict=True))


def test_seeds_and_epochs_differ():
    order = BatchOrder(n_tokens=1001, batch_size=4, seq_len=8, seed=0)
    other = BatchOrder(n_tokens=1001, batch_size=4, seq_len=8, seed=1)
    assert order.starts(0).tolist() != other.starts(0).tolist()
    assert order.starts(0).tolist() != order.starts(order.steps_per_epoch).tolist()


def test_the_order_does_not_change_from_version_to_version():
    order = BatchOrder(n_tokens=1001, batch_size=4, seq_len=8, seed=0)
    assert order.starts(0).tolist() == [336, 752, 120, 112]
    assert order.starts(31).tolist() == [864, 584, 56, 368]


def test_too_little_text_for_a_batch_says_what_to_lower():
    with pytest.raises(ConfigError, match="has 3 windows of 8 tokens, fewer than one batch of 4:"):
        batches(dataset(32), 4, 8, 0, CPU)


HELD_OUT = [
    HeldOut(str(i), np.array([256, *range(i * 10, i * 10 + n)], np.uint16), n)
    for i, n in enumerate([1, 7, 8, 9, 16, 17, 5])
]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("seq_len", [4, 8, 100])
def test_every_token_is_a_target_once_with_the_token_before_it_as_input(batch_size, seq_len):
    scored = {i: [] for i in range(len(HELD_OUT))}
    for batch in evaluation_batches(HELD_OUT, batch_size, seq_len):
        assert batch.tokens.shape == batch.targets.shape
        assert batch.tokens.shape[0] == len(batch.document) <= batch_size
        assert batch.tokens.shape[1] <= seq_len
        rows = zip(batch.tokens, batch.targets, batch.document.tolist(), strict=True)
        for tokens, targets, document in rows:
            n = int((targets != IGNORE).sum())
            assert bool((targets[n:] == IGNORE).all())
            assert torch.equal(tokens[1:n], targets[: n - 1])
            scored[document].append((int(tokens[0]), targets[:n].tolist()))
    for i, document in enumerate(HELD_OUT):
        windows = sorted(scored[i], key=lambda window: window[1])
        expected = document.tokens.tolist()
        assert [token for _, window in windows for token in window] == expected[1:]
        assert [first for first, _ in windows] == expected[:-1][::seq_len]


def test_the_scored_bytes_are_the_bytes_of_the_excerpts():
    tokenizer = TOKENIZER["byte"]()
    texts = ["some words", "Straße", "x" * 50]
    held_out = [
        HeldOut(text, np.array([256, *ids], np.uint16), len(ids))
        for text, ids in zip(texts, tokenizer.encode(texts), strict=True)
    ]
    n_scored = sum(int((b.targets != IGNORE).sum()) for b in evaluation_batches(held_out, 2, 8))
    assert n_scored == sum(document.n_bytes for document in held_out)


def test_rows_of_a_length_are_together_so_that_padding_is_little():
    padded = [int((batch.targets == IGNORE).sum()) for batch in evaluation_batches(HELD_OUT, 3, 8)]
    widths = [batch.tokens.shape[1] for batch in evaluation_batches(HELD_OUT, 3, 8)]
    assert widths == sorted(widths, reverse=True)
    assert sum(padded) <= 12


def test_evaluation_is_the_same_every_time():
    first, second = evaluation_batches(HELD_OUT, 3, 8), evaluation_batches(HELD_OUT, 3, 8)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.tokens, b.tokens)
        assert torch.equal(a.targets, b.targets)
        assert torch.equal(a.document, b.document)
