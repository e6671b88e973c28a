"""The maximal update parametrization: what a step does to activations does not grow with the width.

Yang et al. 2022, arXiv:2203.03466, appendix D.1: the coordinate check.
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from harness.core.hidden import hidden_matrices
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from harness.training.optimizers import OPTIMIZER

BASE, WIDTHS = 32, (32, 64, 128, 256)
INSIDE = ("blocks.0.attention", "blocks.1.ffn")
OPTIMIZERS = {
    "adamw": {"name": "adamw", "lr": 3e-3},
    "sgd": {"name": "sgd", "lr": 0.1},
    "muon": {"name": "muon", "lr": 0.01, "adamw_lr": 3e-3},
    "muon like adamw": {"name": "muon", "lr": 0.01, "adamw_lr": 3e-3, "scale": "match_rms_adamw"},
}


def model(width, **changes):
    sizes = {"d_model": width, "n_layers": 2, "n_heads": width // 16, "head_dim": 16}
    sizes |= {"d_ff": 2 * width, "vocab_size": 64, "max_seq_len": 32, "init": {"std": 0.1}}
    return LanguageModel(VariantSpec.read({**sizes, **changes})).initialize(0)


def batch():
    return torch.randint(64, (4, 33), generator=torch.Generator().manual_seed(1))


def moved(width, optimizer, **changes):
    """Return by how much three steps on one batch change activations (root mean square)."""
    lm, tokens = model(width, **changes), batch()
    update = OPTIMIZER.build(OPTIMIZER.resolve(optimizer)).build(lm)
    for group in update.param_groups:
        group["lr"] = group["peak_lr"]
    seen = {}
    for name, module in lm.named_modules():
        if name in (*INSIDE, "head"):
            module.register_forward_hook(lambda _, __, out, n=name: seen.update({n: out.detach()}))
    lm(tokens[:, :-1])
    before = dict(seen)
    for _ in range(3):
        lm.loss(tokens[:, :-1], tokens[:, 1:]).backward()
        update.step()
        update.zero_grad()
    lm(tokens[:, :-1])
    return {name: (seen[name] - before[name]).square().mean().sqrt().item() for name in seen}


def growth(optimizer, **changes):
    """Return the power of the width with which each activation's change grows."""
    found = [moved(width, OPTIMIZERS[optimizer], **changes) for width in WIDTHS]
    logs = {name: [math.log(one[name]) for one in found] for name in found[0]}
    return {name: np.polyfit(np.log(WIDTHS), values, 1)[0] for name, values in logs.items()}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_with_mup_a_step_moves_activations_by_as_much_at_any_width(optimizer, tied):
    power = growth(optimizer, mup_base_width=BASE, tie_embeddings=tied)
    for name in INSIDE:
        assert abs(power[name]) < 0.2
    assert power["head"] < 0  # the random part of the logits at the start falls with the width


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_without_it_a_step_moves_wider_models_by_more(optimizer):
    power = growth(optimizer)
    assert min(power[name] for name in INSIDE) > 0.8
    assert power["head"] > 0.5


def test_at_its_base_width_it_changes_nothing():
    for optimizer in OPTIMIZERS.values():
        assert moved(BASE, optimizer, mup_base_width=BASE) == moved(BASE, optimizer)


def test_hidden_matrices_start_smaller_and_all_else_as_ever():
    plain, scaled = model(128), model(128, mup_base_width=32)
    inside = set(hidden_matrices(scaled))
    for one, other in zip(scaled.parameters(), plain.parameters(), strict=True):
        factor = 0.5 if one in inside else 1.0
        torch.testing.assert_close(one, factor * other)


def test_logits_are_scaled_and_the_loss_is_of_the_scaled_ones():
    plain, scaled = model(128), model(128, mup_base_width=32)
    scaled.load_state_dict(plain.state_dict())
    tokens = batch()
    logits = scaled(tokens[:, :-1])
    torch.testing.assert_close(logits, plain(tokens[:, :-1]) / 4)
    expected = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    torch.testing.assert_close(scaled.loss(tokens[:, :-1], tokens[:, 1:]), expected)


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "muon like adamw"])
def test_weights_decay_by_as_much_a_step_as_without(optimizer):
    def decays(lm):
        built = OPTIMIZER.build(OPTIMIZER.resolve(OPTIMIZERS[optimizer])).build(lm)
        by_id = {
            id(p): group["peak_lr"] * group["weight_decay"]
            for group in built.param_groups
            for p in group["params"]
        }
        return [by_id[id(p)] for p in lm.parameters()]

    assert decays(model(128, mup_base_width=32)) == pytest.approx(decays(model(128)))


def test_scores_of_wider_heads_are_scaled_by_their_width():
    given = {"name": "gqa", "n_kv_heads": 2, "mup_head_dim": 16}
    plain = {"name": "gqa", "n_kv_heads": 2}
    scaled, without = (model(32, attention=a, n_heads=2) for a in (given, plain))
    assert torch.equal(scaled(batch()[:, :-1]), without(batch()[:, :-1]))
    wider = [model(64, attention=a, n_heads=2, head_dim=32) for a in (given, plain)]
    assert wider[0].blocks[0].attention.scale == pytest.approx(
        wider[1].spec.dims.head_dim ** -0.5 / 2**0.5
    )
    assert not torch.allclose(*(lm(batch()[:, :-1]) for lm in wider), rtol=1e-3)


def test_a_start_that_it_does_not_scale_is_refused():
    with pytest.raises(ConfigError, match="mup_base_width: muP scales a normal start"):
        model(64, mup_base_width=32, init={"scheme": "pytorch"})


def test_what_does_not_use_it_keeps_its_identity():
    assert "mup_base_width" not in model(64).spec.identity()
    assert model(64, mup_base_width=32).spec.identity()["mup_base_width"] == 32
