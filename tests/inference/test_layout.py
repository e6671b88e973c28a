"""Matrices lie by columns for a while, with the same values, and then as before."""

import pytest
import torch

from harness.contracts.subject import Subject, distance, logits, tokens
from harness.inference.layout import by_columns


@pytest.fixture
def model():
    return Subject("ffn", "moe").model()


def test_matrices_lie_by_columns_and_then_as_they_did(model):
    before = {name: p.data_ptr() for name, p in model.named_parameters()}
    values = {name: p.detach().clone() for name, p in model.named_parameters()}
    with by_columns(model):
        for name, parameter in model.named_parameters():
            assert torch.equal(parameter, values[name])
            assert parameter.ndim != 2 or parameter.stride() == (1, len(parameter)), name
        assert model.head.weight is model.embedding.weight
    assert {name: p.data_ptr() for name, p in model.named_parameters()} == before
    assert all(p.is_contiguous() for p in model.parameters())


def test_the_model_computes_the_same(model):
    expected = logits(model, tokens())
    with by_columns(model):
        assert distance(logits(model, tokens()), expected) <= 1e-5


def test_a_failure_meanwhile_leaves_the_model_as_it_was(model):
    before = model.head.weight.data_ptr()
    with pytest.raises(KeyboardInterrupt), by_columns(model):
        raise KeyboardInterrupt
    assert model.head.weight.data_ptr() == before
