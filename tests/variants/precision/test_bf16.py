"""Sixteen bits say nearly the same as thirty-two."""

import pytest
import torch
import torch.nn.functional as F


@pytest.mark.row("R1-15")
@torch.no_grad()
def test_a_model_in_bf16_points_the_same_way(build, batch):
    full, half = build(), build("bf16")
    assert {p.dtype for p in full.parameters()} == {torch.float32}
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    cosine = F.cosine_similarity(half(batch).float(), full(batch), dim=-1)
    assert 0.999 < cosine.min() < 1


@pytest.mark.row("R1-15")
def test_training_in_bf16_keeps_its_weights_in_fp32(build):
    from harness.core.slots import PRECISION

    model, precision = build(), PRECISION["bf16"]()
    precision.prepare_training(model)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    with precision.autocast(torch.device("cpu")):
        assert model.blocks[0].ffn.up_proj(torch.ones(1, 64)).dtype == torch.bfloat16
