"""The norm of the gradient, layer by layer."""

import pytest
import torch

from harness.training.gradients import gradient_norms

pytestmark = pytest.mark.row("R4-13")


def by_hand(model, tokens, targets):
    loss = model.loss(tokens, targets)
    blocks = [list(block.parameters()) for block in model.blocks]
    squares = [
        sum(g.square().sum() for g in torch.autograd.grad(loss, block, retain_graph=True))
        for block in blocks
    ]
    return [float(square.sqrt()) for square in squares]


@pytest.mark.parametrize("block", ["pre_norm", "post_norm"])
def test_norms_are_those_of_the_blocks_in_order(lab, block):
    model = lab.new_model(block=block, n_layers=3, dropout=0.5, init={"std": 0.3}).train()
    norms = gradient_norms(model, *lab.text[0])
    assert model.training and all(p.grad is None for p in model.parameters())
    assert norms == pytest.approx(by_hand(model.eval(), *lab.text[0]), rel=1e-5)
    assert len(set(norms)) == 3


def test_both_placements_of_norms_tell_their_gradients_apart(lab):
    """Before training they fall with depth in pre-norm and not in post-norm (Xiong et al. 2020)."""
    ratio = {}
    for block in ("pre_norm", "post_norm"):
        model = lab.new_model(block=block, n_layers=6, d_model=32)
        first, *_, last = gradient_norms(model, *lab.text[0])
        ratio[block] = last / first
    assert ratio["pre_norm"] < 0.7 and ratio["post_norm"] > 0.9
