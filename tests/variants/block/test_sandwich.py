"""Sandwich norm: a norm on both sides of each sublayer, and none on the stream."""

import torch

from harness.contracts.subject import Subject, logits, tokens
from harness.core.context import Context


def block_and_input():
    model = Subject("block", "sandwich").model()
    x = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(0))
    return model.blocks[0], x, Context(torch.arange(9).expand(2, 9))


@torch.no_grad()
def test_each_sublayer_is_normalised_before_and_after():
    block, x, context = block_and_input()
    norms = [block.attention_norm, block.attention_output_norm, block.ffn_norm,
             block.ffn_output_norm]  # fmt: skip
    assert len({id(norm.weight) for norm in norms}) == 4
    h = x + norms[1](block.attention(norms[0](x), context))
    expected = h + norms[3](block.ffn(norms[2](h), context))
    torch.testing.assert_close(block(x, context), expected)


@torch.no_grad()
def test_what_is_added_does_not_grow_with_what_the_sublayers_make():
    model = Subject("block", "sandwich").model()
    before = logits(model, tokens())
    for block in model.blocks:
        block.attention.o_proj.weight *= 8  # a power of two: no rounding
        block.ffn.down_proj.weight *= 8
    torch.testing.assert_close(logits(model, tokens()), before, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_what_each_sublayer_adds_is_dropped():
    """Of half dropped twice, independently, a quarter is left as it was."""
    block, x, context = block_and_input()
    context.dropout = 0.5
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = block(x, context)
    assert 0.15 < (out == x).float().mean() < 0.35


def test_the_model_still_has_its_final_norm():
    model = Subject("block", "sandwich").model()
    assert model.norm.weight.shape == (32,)
