"""Parameters, their start and their price, and what a component says of itself."""

import inspect
from typing import Any

import torch
from torch import Tensor

from harness.contracts.subject import (
    LENGTH,
    Subject,
    distance,
    logits,
    tokens,
)
from harness.core.catalogue import section
from harness.core.cost import count_flops, measure_cost
from harness.core.model import LanguageModel
from harness.core.slots import PRECISION, SLOTS


def learns_every_parameter(subject: Subject) -> None:
    """Every parameter has a gradient that is finite and not zero."""
    model = subject.model(tie_embeddings=False)
    model.loss(tokens(), tokens(seed=4)).backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    dead = [n for n, g in grads.items() if g is None or not g.any() or not g.isfinite().all()]
    assert dead == [], f"no gradient reaches {dead}"


def survives_saving(subject: Subject) -> None:
    """Weights that are saved and loaded make the same function."""
    model = subject.model()
    copy = LanguageModel(subject.spec()).eval()
    copy.load_state_dict({k: v.clone() for k, v in model.state_dict().items()}, strict=True)
    assert torch.equal(logits(copy, tokens()), logits(model, tokens()))


def starts_as_its_seed_says(subject: Subject) -> None:
    """A seed draws the same weights every time, and another one others."""

    def start(seed: int, elsewhere: int, **changes: Any) -> dict[str, Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(elsewhere)
            model = LanguageModel(subject.spec(**changes)).initialize(seed)
        return dict(model.named_parameters())

    this, again, other = start(7, 1), start(7, 2), start(8, 1)
    for name, parameter in this.items():
        assert torch.equal(parameter, again[name]), f"{name} depends on torch's global generator"
        if parameter.ndim >= 2:
            assert not torch.equal(parameter, other[name]), f"{name} does not depend on the seed"
    wide = start(7, 3, d_ff=56)
    assert wide.keys() == this.keys()
    for name, parameter in this.items():
        common = tuple(map(slice, parameter.shape))
        assert torch.equal(wide[name][common], parameter), f"{name} depends on the width d_ff"


def costs_what_the_meta_device_says(subject: Subject) -> None:
    """Parameters, FLOPs and cache bytes on the meta device are those of a real model."""
    model = subject.model()
    cost = measure_cost(subject.spec(), LENGTH)
    forward, both = count_flops(model, 1, LENGTH)
    caches = model.new_caches(1, LENGTH, torch.bfloat16)
    assert cost.params == sum(p.numel() for p in model.parameters())
    assert cost.forward_flops_per_token * LENGTH == forward
    assert cost.train_flops_per_token * LENGTH == both > 2 * forward
    assert cost.cache_bytes == sum(b.nbytes for cache in caches for b in cache.buffers.values())


def says_what_it_is(subject: Subject) -> None:
    """The docstring has a source, and explains every option."""
    registry = SLOTS[subject.slot]
    name = registry.aliases().get(subject.name, subject.name)
    text = inspect.getdoc(registry[name]) or ""
    assert section(text, "Source:"), "the docstring has no `Source:`"
    about = f"\n{text}\n".partition("\nOptions:\n")[2].partition("\n\n")[0]
    options = registry.schema(name).model_fields
    missing = [o for o in options if f"\n    {o}:" not in f"\n{about}"]
    assert missing == [], f"`Options:` of the docstring does not explain {missing}"


def trains_in_bf16(subject: Subject) -> None:
    """Under bf16 autocast the loss is near that of fp32, and gradients are finite."""
    model, batch = subject.model(), tokens()
    full = model.loss(batch, tokens(seed=4))
    with PRECISION["bf16"]().autocast(torch.device("cpu")):
        loss = model.loss(batch, tokens(seed=4))
    loss.backward()
    assert distance(loss, full) < 0.05
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
