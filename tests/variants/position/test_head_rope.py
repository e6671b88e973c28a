"""The rotation by head index: exactly the fault it is labelled with, and only there."""

import pytest
import torch

from harness.contracts.subject import Subject, logits, tokens
from harness.core.slots import POSITION
from harness.errors import ConfigError

BLIND = {"none", "head_rope"}  # a causal layer is then a set function of what came before


@pytest.mark.row("R4-06")
@pytest.mark.parametrize("name", list(POSITION))
def test_one_layer_knows_the_order_of_what_came_before(name):
    model = Subject("position", name).model(n_layers=1)
    batch = tokens(1)
    batch[0, 2:4] = torch.tensor([5, 6])
    swapped = batch.clone()
    swapped[0, 2:4] = torch.tensor([6, 5])
    moved = (logits(model, swapped) - logits(model, batch))[0, -1].abs().max()
    assert moved <= 1e-5 if name in BLIND else moved > 1e-3


@pytest.mark.row("R4-06")
def test_heads_turn_backwards_by_their_index_at_half_of_the_rates(build, rotated):
    width, n_heads = 16, 3
    x = torch.cat((torch.ones(8), torch.zeros(8))).expand(1, 5, n_heads, width)
    turned = rotated(build("head_rope", width), x)
    assert all(torch.equal(turned[:, t], turned[:, 0]) for t in range(5))
    rates = torch.tensor([1, 1e-4 ** (1 / 3), 1e-4 ** (2 / 3), 1e-4, 0, 0, 0, 0])
    for head in range(n_heads):
        expected = torch.cat(((head * rates).cos(), -(head * rates).sin()))
        torch.testing.assert_close(turned[0, 0, head], expected)


def test_a_width_without_quarters_is_refused(build):
    with pytest.raises(ConfigError, match="so 4 must divide their number, 6"):
        build("head_rope", 6)


def test_it_is_labelled_as_a_fault():
    assert "head's index instead of the token's position" in POSITION["head_rope"].fault
    assert [name for name in POSITION if POSITION[name].fault] == ["head_rope"]
