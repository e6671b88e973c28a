"""The parallel block: both sublayers read the same stream, through one norm or two."""

import pytest
import torch

from harness.contracts.subject import Subject
from harness.core.context import Context


def block_and_input(**options):
    model = Subject("block", "parallel", options).model()
    x = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(0))
    return model.blocks[0], x, Context(torch.arange(9).expand(2, 9))


@torch.no_grad()
def test_one_norm_serves_both_sublayers():
    block, x, context = block_and_input()
    y = block.attention_norm(x)
    expected = x + block.attention(y, context) + block.ffn(y, context)
    torch.testing.assert_close(block(x, context), expected)


@torch.no_grad()
def test_two_norms_serve_one_each():
    block, x, context = block_and_input(shared_norm=False)
    attended = block.attention(block.attention_norm(x), context)
    expected = x + attended + block.ffn(block.ffn_norm(x), context)
    assert not torch.equal(block.ffn_norm.weight, block.attention_norm.weight)
    torch.testing.assert_close(block(x, context), expected)


def test_a_shared_norm_is_one_set_of_weights():
    (shared, *_), (separate, *_) = block_and_input(), block_and_input(shared_norm=False)
    assert {n for n, _ in separate.named_parameters()} - {n for n, _ in shared.named_parameters()} \
        == {"ffn_norm.weight"}  # fmt: skip


@torch.no_grad()
def test_the_feed_forward_does_not_read_what_attention_adds():
    block, x, context = block_and_input()
    before = block(x, context) - block.attention(block.attention_norm(x), context)
    block.attention.o_proj.weight.zero_()
    torch.testing.assert_close(block(x, context), before)


@pytest.mark.parametrize("shared_norm", [True, False])
@torch.no_grad()
def test_what_each_sublayer_adds_is_dropped(shared_norm):
    """Of half dropped twice, independently, a quarter is left as it was."""
    block, x, context = block_and_input(shared_norm=shared_norm)
    context.dropout = 0.5
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = block(x, context)
    assert 0.15 < (out == x).float().mean() < 0.35
