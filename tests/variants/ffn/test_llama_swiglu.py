"""Llama's rule for the hidden width, and tlama-core's reading of it."""

import pytest
import torch

from harness.core.dims import Dims
from harness.core.slots import FFN


@pytest.mark.row("R3-11")
@pytest.mark.parametrize(
    ("options", "width", "n_params"),
    [
        ({}, 2816, 8_650_752),
        ({"multiplier": 1.0}, 2816, 8_650_752),
        ({"multiplier": 1.0, "two_thirds": False}, 4096, 12_582_912),
        ({"multiplier": 1.3, "multiple_of": 64}, 3584, 11_010_048),  # int(1.3 * 2730) = 3549
        ({"multiple_of": 1}, 2730, 8_386_560),
    ],
)
def test_the_width_follows_from_d_model(build, apply, options, width, n_params):
    ffn = build("llama_swiglu", d_model=1024, d_ff=7, **options)
    assert ffn.gate_proj.out_features == ffn.down_proj.in_features == width
    assert width % options.get("multiple_of", 256) == 0
    assert sum(p.numel() for p in ffn.parameters()) == n_params
    with torch.no_grad():
        assert apply(ffn, torch.zeros(4, 128, 1024)).shape == (4, 128, 1024)


@pytest.mark.row("R3-11")
@pytest.mark.parametrize("d_model", [4096, 8192])
def test_widths_are_those_of_released_models(d_model):
    """LLaMA 7B and Llama 2 70B, whose multiplier is 1.3 and whose multiple is 4096."""
    released = {4096: ({}, 11_008), 8192: ({"multiplier": 1.3, "multiple_of": 4096}, 28_672)}
    options, width = released[d_model]
    dims = Dims(d_model=d_model, n_layers=1, n_heads=1, head_dim=1, d_ff=1, vocab_size=1,
                max_seq_len=1)  # fmt: skip
    with torch.device("meta"):
        ffn = FFN.build(FFN.resolve({"name": "llama_swiglu", **options}, dims), dims, 0)
    assert ffn.up_proj.out_features == width


def test_it_computes_what_swiglu_does_at_that_width(build, apply, x):
    ours, theirs = build("llama_swiglu", multiple_of=8), build("swiglu", d_ff=88)
    theirs.load_state_dict(ours.state_dict())
    assert torch.equal(apply(ours, x), apply(theirs, x))
