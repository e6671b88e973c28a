"""Targets are the next tokens: nothing shifts them later, and nothing but them is trained on."""

import numpy as np
import pytest
import torch

from harness.data.batches import Batches
from harness.data.order import BatchOrder, Windows
from harness.errors import AblateError

pytestmark = pytest.mark.row("R3-15")


class Unshifted:
    """Batches whose targets are the tokens, as a copy."""

    def __init__(self, tokens):
        self.tokens = tokens

    def __getitem__(self, step):
        return self.tokens, self.tokens.clone()


def test_a_batch_has_the_token_after_each_as_its_target():
    text = np.random.default_rng(0).integers(0, 32, 500).astype(np.uint16)
    order = BatchOrder(len(text), batch_size=3, seq_len=16, seed=0)
    for step in range(6):
        tokens, targets, _ = Batches(Windows(text, order), torch.device("cpu"))[step]
        for row, start in enumerate(order.starts(step)):
            assert tokens[row].tolist() == text[start : start + 16].tolist()
            assert targets[row].tolist() == text[start + 1 : start + 17].tolist()


def test_training_the_identity_is_refused_before_the_first_step(lab):
    tokens, _ = lab.text[0]
    before = lab.model.head.weight.detach().clone()
    with pytest.raises(AblateError, match="targets must be the next tokens"):
        list(lab.train(lab.config(), batches=Unshifted(tokens)))
    assert torch.equal(lab.model.head.weight, before)


def test_a_text_that_repeats_one_token_may_be_trained_on(lab):
    ones = torch.ones(2, lab.seq_len, dtype=torch.long)
    *_, point = lab.train(lab.config({"steps": 2}), batches=Unshifted(ones))
    assert point.step == 2
