"""Both schemes of initial weights have the spread that they promise, and the loss that follows."""

import math

import pytest
import torch

from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.interop.foreign import read_config

WIDE = {
    "d_model": 256, "n_layers": 2, "n_heads": 4, "head_dim": 64, "d_ff": 768, "vocab_size": 1024,
    "max_seq_len": 64, "tie_embeddings": False,
}  # fmt: skip


def model(**changes):
    return LanguageModel(VariantSpec.read({**WIDE, **changes})).initialize(0)


@torch.no_grad()
def initial_loss(network):
    generator = torch.Generator().manual_seed(0)
    vocab_size = network.spec.dims.vocab_size
    text = torch.randint(vocab_size, (16, 65), generator=generator)
    return float(network.loss(text[:, :-1], text[:, 1:]))


@pytest.mark.row("R1-18")
@pytest.mark.parametrize("std", [0.02, 0.1])
def test_normal_weights_have_the_deviation_asked_for(std):
    for name, weight in model(init={"std": std}).named_parameters():
        if weight.ndim == 2:
            assert float(weight.detach().std()) == pytest.approx(std, rel=0.02), name
            assert weight.abs().max() > 3 * std, f"{name} is not normal"


@pytest.mark.row("R1-18")
def test_pytorch_s_weights_are_uniform_within_the_bound_of_its_layers():
    network = model(init={"scheme": "pytorch"})
    theirs = torch.nn.Linear(256, 4096, bias=False).weight.detach()
    for name, weight in network.named_parameters():
        if name == "embedding.weight":
            assert float(weight.detach().std()) == pytest.approx(1.0, rel=0.02)
            assert weight.abs().max() > 3
        elif weight.ndim == 2:
            bound = weight.shape[1] ** -0.5
            assert 0.999 * bound < weight.abs().max() <= bound, name
            assert float(weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.02), name
    ours = network.blocks[0].attention.q_proj.weight.detach()
    assert float(ours.std() / theirs.std()) == pytest.approx(1, rel=0.02)
    assert float(ours.abs().max() / theirs.abs().max()) == pytest.approx(1, rel=0.01)


@pytest.mark.row("R1-21")
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("std", [0.02, 0.04])
def test_the_initial_loss_is_that_of_a_guess_and_half_the_variance_of_the_scores(std, tied):
    """ln V + d std^2 / 2: ln V + 0.2 at the width and deviation of Qwen3-0.6B, and at 256 and 0.04.

    A tied table would favour the token that was read, but what the blocks add hides it.
    """
    network = model(n_layers=6, init={"std": std}, tie_embeddings=tied)
    expected = math.log(1024) + 256 * std**2 / 2
    assert initial_loss(network) == pytest.approx(expected, abs=0.1)


@pytest.mark.row("R3-17")
@pytest.mark.parametrize("std", [0.02, 0.03])
def test_the_llama_example_starts_with_its_deviation_and_nearly_a_guess(std):
    example = {"d_model": 256, "n_layers": 2, "n_heads": 4, "vocab_size": 32_000}
    example["weight_init"] = [std, 0.0]
    network = LanguageModel(VariantSpec.read(read_config(example, "tlama"))).initialize(0)
    for name, weight in network.named_parameters():
        if weight.ndim == 2:
            assert float(weight.detach().std()) == pytest.approx(std, rel=0.02), name
            assert abs(float(weight.detach().mean())) < 4 * std * weight.numel() ** -0.5, name
    assert 10.37 <= initial_loss(network) <= 10.85
