"""What may be asked of training beside its plain form, and what its loss is of."""

import pytest
import torch
import torch.nn.functional as F
from lab import in_new_process
from torch.autograd.graph import saved_tensors_hooks

from harness.contracts.subject import TINY, Subject, distance, lively, subjects, tokens
from harness.core.cost import training_bytes
from harness.core.model import LanguageModel
from harness.core.slots import PER_LAYER
from harness.core.spec import VariantSpec

OF_LAYERS = [subject for subject in subjects() if subject.slot in PER_LAYER]


def model(**changes):
    return lively(LanguageModel(VariantSpec.read({**TINY, **changes}))).train()


def loss_and_gradients(network, batch, targets, seed=0):
    torch.manual_seed(seed)  # of dropout
    loss = network.loss(batch, targets)
    loss.backward()
    gradients = {name: p.grad.clone() for name, p in network.named_parameters()}
    network.zero_grad()
    return loss.detach(), gradients


def assert_same(found, expected, tolerance):
    (loss, gradients), (its_loss, its_gradients) = found, expected
    assert distance(loss, its_loss) <= tolerance
    assert gradients.keys() == its_gradients.keys()
    for name, gradient in gradients.items():
        assert distance(gradient, its_gradients[name]) <= tolerance, name


@pytest.mark.row("R1-16")
@pytest.mark.parametrize("subject", [*OF_LAYERS, Subject("ffn", "swiglu")], ids=str)
def test_checkpointing_changes_neither_the_loss_nor_a_gradient(subject):
    network, other = subject.model().train(), subject.model().train()
    batch, targets = tokens(), tokens(seed=4)
    other.checkpointing = True
    for _ in range(2):  # what a training step leaves, such as a router's bias, is left once
        plain = loss_and_gradients(network, batch, targets)
        assert_same(loss_and_gradients(other, batch, targets), plain, 1e-6)


@pytest.mark.row("R1-16")
def test_checkpointing_drops_the_same_channels_twice():
    network = model(dropout=0.3)
    plain = loss_and_gradients(network, tokens(), tokens(seed=4))
    other = loss_and_gradients(network, tokens(), tokens(seed=4), seed=1)
    network.checkpointing = True
    assert_same(loss_and_gradients(network, tokens(), tokens(seed=4)), plain, 1e-6)
    assert distance(other[0], plain[0]) > 1e-3


def kept_bytes(network):
    """Measure what autograd holds when a forward pass has ended, without the weights."""
    storages, weights = {}, {p.untyped_storage().data_ptr() for p in network.parameters()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = network.loss(tokens(), tokens(seed=4))
    del loss
    return sum(size for place, size in storages.items() if place not in weights)


@pytest.mark.row("R1-16")
def test_checkpointing_keeps_the_ends_of_blocks_alone():
    network, kept = model(n_layers=4), {}
    for checkpointing in (False, True):
        network.checkpointing = checkpointing
        kept[checkpointing] = kept_bytes(network)
    ends = 4 * 2 * 13 * 32 * 4  # bytes of what enters each block
    assert ends < kept[True] < kept[False] / 4


@pytest.mark.row("R1-16")
def test_the_plan_expects_less_memory_with_checkpointing():
    spec = VariantSpec.read({**TINY, "n_layers": 8})
    state = 16 * sum(p.numel() for p in LanguageModel(spec).parameters())
    plain, less = (training_bytes(spec, 4, 32, checkpointing=c) - state for c in (False, True))
    assert 0 < less < plain / 4


def compiled_beside_eager(checkpointing, changes):
    """Run where shapes are not checked at every call, which the compiler does not understand."""
    graphs = torch._dynamo.utils.counters["stats"]
    network, batch, targets = model(**changes), tokens(), tokens(seed=4)
    loss, gradients = loss_and_gradients(model(**changes), batch, targets)
    network.checkpointing = checkpointing
    network.compile_trunk()
    its_loss, its_gradients = loss_and_gradients(network, batch, targets)
    compiled = graphs["unique_graphs"]
    network.eval()
    with torch.no_grad():
        network(batch[:, :7])
    return {
        "loss": distance(its_loss, loss),
        **{name: distance(its_gradients[name], g) for name, g in gradients.items()},
    }, [compiled, graphs["unique_graphs"]]


@pytest.mark.slow  # the compiler takes half a minute
@pytest.mark.row("R2-32")
@pytest.mark.parametrize(
    ("checkpointing", "changes"),
    [
        (False, {}),
        (True, {}),
        (False, {"ffn": {"name": "moe", "n_experts": 4, "bias_rate": 0.5, "z_loss": 0.1}}),
        (False, {"objective": "multi_token"}),
    ],
    ids=["plain", "checkpointing", "experts", "several tokens"],
)
def test_a_compiled_model_trains_as_the_eager_one_does(checkpointing, changes):
    given = (compiled_beside_eager, checkpointing, changes)
    distances, (compiled, after_evaluation) = in_new_process(*given)
    assert max(distances.values()) <= 1e-4
    assert compiled > 0 and after_evaluation == compiled, "evaluation, of other shapes, is eager"


@pytest.mark.row("R3-15")
def test_the_loss_is_of_the_targets_as_they_are():
    network, batch, targets = model(), tokens(), tokens(seed=4)
    expected = F.cross_entropy(network(batch).flatten(0, 1), targets.flatten())
    assert distance(network.loss(batch, targets), expected) <= 1e-5
    shifted = F.cross_entropy(network(batch)[:, :-1].flatten(0, 1), targets[:, 1:].flatten())
    assert distance(expected, shifted) > 1e-2
