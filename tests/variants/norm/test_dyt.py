"""Dynamic Tanh: the formula, where it starts, and one scale for all channels."""

import pytest
import torch

from harness.core.slots import NORM
from harness.errors import ConfigError
from variants.norm.dyt import DynamicTanh


@torch.no_grad()
def test_it_is_a_scaled_and_shifted_tanh():
    norm = DynamicTanh(3)
    norm.alpha.fill_(2.0)
    norm.weight.copy_(torch.tensor([1.0, 2, 3]))
    norm.bias.copy_(torch.tensor([0.0, 10, 20]))
    y = norm(torch.tensor([[0.5, -0.5, 1e6]]))
    torch.testing.assert_close(y, torch.tensor([[0.761594, 10 - 2 * 0.761594, 23]]))


def test_it_starts_as_tanh_of_half():
    norm, x = DynamicTanh(12), torch.linspace(-4, 4, 12)
    torch.testing.assert_close(norm(x), torch.tanh(0.5 * x))
    assert {n: tuple(p.shape) for n, p in norm.named_parameters()} == {
        "weight": (12,), "bias": (12,), "alpha": (1,)
    }  # fmt: skip
    assert DynamicTanh(12, alpha=0.8).alpha.item() == pytest.approx(0.8)


def test_no_vector_is_seen_whole():
    """Unlike a norm, it treats every channel alone."""
    norm, x = DynamicTanh(4), torch.ones(4)
    changed = x.clone()
    changed[3] = 100
    assert torch.equal(norm(changed)[:3], norm(x)[:3])


def test_a_scale_of_zero_is_refused():
    with pytest.raises(ConfigError, match="greater than 0"):
        NORM.resolve({"name": "dyt", "alpha": 0.0})
