"""The short convolution against torch's, with documents, padding and a state."""

import pytest
import torch
import torch.nn.functional as F

from harness.core.context import Context
from harness.core.short_convolution import ShortConvolution

B, T, W = 2, 11, 6


def positions(n_tokens):
    return torch.arange(n_tokens).expand(B, n_tokens)


@pytest.fixture
def x():
    return torch.randn(B, T, W, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[1, 3, 4])
def convolution(request):
    made = ShortConvolution(W, kernel=request.param)
    with torch.no_grad():
        made.weight.copy_(
            torch.randn(made.weight.shape, generator=torch.Generator().manual_seed(1))
        )
    return made


def reference(convolution, x):
    kernel = convolution.weight.shape[1]
    past = F.pad(x.mT, (kernel - 1, 0))
    return x + F.conv1d(past, convolution.weight.flip(1)[:, None], groups=W).mT


def test_equals_a_causal_depthwise_convolution_added_to_its_input(convolution, x):
    y, state = convolution(x, Context(positions(T)))
    torch.testing.assert_close(y, reference(convolution, x))
    assert state is None


def test_starts_as_the_identity(x):
    y, _ = ShortConvolution(W)(x, Context(positions(T)))
    assert torch.equal(y, x)


def test_documents_are_convolved_alone(convolution, x):
    documents = torch.tensor([[0] * 4 + [1] + [2] * 6, [5] * 9 + [1] * 2])
    y, _ = convolution(x, Context(positions(T), documents=documents))
    for row, lengths in enumerate([[4, 1, 6], [9, 2]]):
        parts = [reference(convolution, part[None])[0] for part in x[row].split(lengths)]
        torch.testing.assert_close(y[row], torch.cat(parts))


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_not_read(side, convolution, x):
    valid = torch.ones(B, T, dtype=torch.bool)
    tokens = slice(4, T) if side == "left" else slice(0, T - 4)
    valid[1, : 4 if side == "left" else 0] = valid[1, T if side == "left" else T - 4 :] = False
    y, _ = convolution(x, Context(positions(T), valid=valid))
    torch.testing.assert_close(y[:1], reference(convolution, x[:1]))
    torch.testing.assert_close(y[1:, tokens], reference(convolution, x[1:, tokens]))


@pytest.mark.parametrize("lengths", [[1] * T, [5, 1, 2, 3], [2, 9], [T]])
def test_a_state_goes_on_where_it_ended(lengths, convolution, x):
    state, parts = torch.zeros(B, convolution.weight.shape[1] - 1, W), []
    for part in x.split(lengths, dim=1):
        y, state = convolution(part, Context(positions(part.shape[1])), state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, dim=1), reference(convolution, x))


def test_a_state_holds_the_last_tokens_of_each_row_and_no_padding(x):
    convolution = ShortConvolution(W)
    valid = torch.arange(T) < torch.tensor([[2], [7]])
    earlier = torch.arange(1.0, 4).view(1, 3, 1).expand(B, 3, W)
    _, state = convolution(x, Context(positions(T), valid=valid), earlier)
    assert torch.equal(state[0], torch.cat((earlier[0, 2:], x[0, :2])))
    assert torch.equal(state[1], x[1, 4:7])
    _, kept = convolution(x, Context(positions(T), valid=torch.zeros_like(valid)), state)
    assert torch.equal(kept, state)
