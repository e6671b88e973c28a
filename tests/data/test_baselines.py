import math

import numpy as np
import pytest

from harness.data import baselines as module
from harness.data.baselines import baselines
from harness.data.dataset import TokenDataset
from harness.data.tokenizers import TOKENIZER


def stream(tokens, vocab_size):
    ids = TOKENIZER["ids"](vocab_size=vocab_size)
    return TokenDataset(train=np.asarray(tokens), held_out=[], tokenizer=ids, fingerprint="")


@pytest.mark.row("R4-26")
def test_the_loss_before_training_is_the_log_of_the_vocabulary():
    assert baselines(stream([1, 2, 3], 49_152)).uniform == pytest.approx(10.8027, abs=1e-4)


@pytest.mark.row("R4-26")
@pytest.mark.parametrize("chunk", [3, 2**24])
def test_the_loss_without_context_is_the_entropy_of_the_ids(chunk, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", chunk)
    found = baselines(stream([5, 5, 5, 5, 1, 1, 0, 7], 9)).unigram
    by_hand = -(0.5 * math.log(1 / 2) + 0.25 * math.log(1 / 4) + 2 * 0.125 * math.log(1 / 8))
    assert found == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.row("R4-26")
def test_it_is_the_least_loss_that_constant_scores_can_have():
    tokens = np.random.default_rng(0).zipf(1.5, 20_000) % 64
    shares = np.bincount(tokens, minlength=64) / len(tokens)
    least = baselines(stream(tokens, 64)).unigram
    loss = lambda p: -np.log(p[tokens]).mean()  # noqa: E731
    assert loss(np.where(shares, shares, 1)) == pytest.approx(least)
    for other in (np.full(64, 1 / 64), (shares + 0.01) / (shares + 0.01).sum()):
        assert loss(other) > least


def test_ids_that_all_occur_alike_are_no_easier_than_unknown_ones():
    found = baselines(stream(list(range(16)) * 3, 16))
    assert found.unigram == pytest.approx(found.uniform)
