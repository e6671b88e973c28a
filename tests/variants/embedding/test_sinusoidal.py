"""Fixed sinusoids of the position: the paper's formula, added and not stored."""

import math

import pytest
import torch

from harness.contracts.subject import Subject, logits, tokens
from harness.core.context import Context
from harness.errors import ConfigError
from variants.embedding.sinusoidal import sinusoids


def test_channels_are_sines_and_cosines_of_the_position_in_turn():
    out = sinusoids(torch.tensor([[0, 1, 50]]), 8)[0]
    for row, position in enumerate([0, 1, 50]):
        for i in range(4):
            angle = position / 10_000 ** (2 * i / 8)
            assert out[row, 2 * i] == pytest.approx(math.sin(angle), abs=1e-5)
            assert out[row, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-5)


@pytest.mark.parametrize(("scaled", "scale"), [(False, 1.0), (True, 32**0.5)])
@torch.no_grad()
def test_they_are_added_to_the_token_vectors(scaled, scale):
    model = Subject("embedding", "sinusoidal", {"scaled": scaled}).model()
    ids, positions = torch.tensor([[5, 7, 5]]), torch.tensor([[0, 1, 9]])
    x = model.embedding(ids, Context(positions))
    expected = scale * model.embedding.weight[ids] + sinusoids(positions, 32)
    torch.testing.assert_close(x, expected)
    assert (x[0, 0] - x[0, 2]).abs().max() > 0.1  # one token at two positions


def test_only_token_vectors_are_stored():
    model = Subject("embedding", "sinusoidal").model()
    assert list(model.embedding.state_dict()) == ["weight"]


def test_they_tell_the_order_where_nothing_else_does():
    model = Subject("embedding", "sinusoidal").model(n_layers=1, position="none")
    batch = tokens(1)
    batch[0, 2:4] = torch.tensor([5, 6])
    swapped = batch.clone()
    swapped[0, 2:4] = torch.tensor([6, 5])
    assert (logits(model, swapped) - logits(model, batch))[0, -1].abs().max() > 1e-3


def test_an_odd_width_is_refused():
    with pytest.raises(ConfigError, match="d_model must be even, but is 33"):
        Subject("embedding", "sinusoidal").model(d_model=33)
