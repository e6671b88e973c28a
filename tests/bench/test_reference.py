"""What is timed against each other is the same function, and the same step."""

import copy

import pytest
import torch

from harness.bench.moe import IMPLEMENTATIONS, MIXTURE
from harness.bench.reference import reference_of
from harness.bench.steps import our_step, reference_loss, reference_step
from harness.core.model import LanguageModel
from harness.errors import ConfigError

pytest.importorskip("transformers")

SMALL_MIXTURE = (f"ffn={MIXTURE}", "ffn.d_ff=24", "ffn.balance_loss=0.1")
VARIANTS = {"dense": (), "untied": ("tie_embeddings=false",), "moe": SMALL_MIXTURE}


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def pair(request, workload):
    """Ours, transformers', and a batch one token longer than the sequences."""
    load = workload(16, *request.param)
    torch.manual_seed(0)
    model = LanguageModel(load.spec).initialize(0)
    return model, reference_of(model), load.tokens(n_more=1)


def test_both_minimise_the_same_loss(pair):
    model, reference, tokens = pair
    theirs = reference_loss(reference, tokens)()
    torch.testing.assert_close(model.loss(tokens[:, :-1], tokens[:, 1:]), theirs)


def test_a_step_moves_both_alike(pair):
    """Adam's step is the gradient's sign, so where that is near zero the two may differ."""
    model, reference, tokens = pair
    before = copy.deepcopy(model.state_dict())
    our_step(model, tokens)()
    reference_step(reference, tokens)()
    after = reference_of(model).state_dict()
    start = copy.deepcopy(model)
    start.load_state_dict(before)
    start = reference_of(start).state_dict()
    for name, theirs in reference.state_dict().items():
        moved, they_moved = after[name] - start[name], theirs - start[name]
        alike = torch.isclose(moved, they_moved, rtol=1e-2, atol=1e-6)
        assert alike.float().mean() > 0.99, name
        assert moved.abs().max() > 5e-5, name


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_either_way_to_compute_experts_is_the_same_function(implementation, workload):
    load = workload(16, *SMALL_MIXTURE)
    model = LanguageModel(load.spec).initialize(0)
    reference = reference_of(model)
    reference.set_experts_implementation(implementation)
    tokens = load.tokens(n_more=1)
    theirs = reference_loss(reference, tokens)()
    torch.testing.assert_close(model.loss(tokens[:, :-1], tokens[:, 1:]), theirs)


def test_what_transformers_has_not_is_refused(workload):
    model = LanguageModel(workload(16, "norm=layer_norm").spec)
    with pytest.raises(ConfigError, match="layer_norm"):
        reference_of(model)
