"""Contracts that single slots have besides."""

import torch
from torch import Tensor

from harness.contracts.subject import (
    Subject,
    distance,
    logits,
    tokens,
)
from harness.core.model import LanguageModel
from harness.core.slots import PRECISION, SLOTS
from harness.core.targets import IGNORE


def transforms_each_position_alone(subject: Subject) -> None:
    """A feed-forward component and a norm know nothing of order."""
    model, x = subject.model(), torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(6))
    batch = tokens(length=9)
    seen: list[Tensor] = []
    model.blocks[0].register_forward_hook(lambda module, inputs, out: seen.append(inputs[1]))
    logits(model, batch)
    order = torch.tensor([4, 2, 8, 0, 1, 7, 5, 3, 6])
    parts = [m for m in model.modules() if isinstance(m, SLOTS[subject.slot].contract)]
    nested = [inner for part in parts for inner in part.modules() if inner is not part]
    parts = [part for part in parts if not any(part is inner for inner in nested)]
    assert parts
    for part in parts:
        takes = (seen[0],) if subject.slot == "ffn" else ()
        wide = x if subject.slot == "ffn" else x[..., : _width(part)]
        with torch.no_grad():
            assert distance(part(wide[:, order], *takes), part(wide, *takes)[:, order]) <= 1e-6


def _width(norm: torch.nn.Module) -> int:
    return next(norm.parameters()).shape[-1] if list(norm.parameters()) else 32


def objective_ignores_what_it_is_told_to(subject: Subject) -> None:
    """Targets that are to be ignored add neither loss nor gradient."""
    model, batch, targets = subject.model(), tokens(), tokens(seed=4)
    cut = targets.clone()
    cut[:, 9:] = IGNORE
    assert distance(model.loss(batch, cut), model.loss(batch[:, :9], targets[:, :9])) <= 1e-5
    hidden, context = model.hidden(batch)
    leaf = hidden.detach().requires_grad_()
    model.objective(leaf, cut, model.head, context).backward()
    assert leaf.grad is not None and not leaf.grad[:, 9:].any() and leaf.grad[:, :9].any()
    nothing = model.loss(batch, torch.full_like(targets, IGNORE))
    assert nothing.isfinite() and nothing == 0


def objective_gradients_are_true(subject: Subject) -> None:
    """Against differences of the loss itself, along random directions."""
    model, targets = subject.model(tie_embeddings=False), tokens(seed=4)
    hidden, context = model.hidden(tokens())
    generator = torch.Generator().manual_seed(8)
    for leaf in (hidden.detach().requires_grad_(), model.head.weight):
        given = hidden.detach() if leaf is model.head.weight else leaf
        (grad,) = torch.autograd.grad(model.objective(given, targets, model.head, context), leaf)
        way = torch.randn(leaf.shape, generator=generator) + grad / grad.std()
        step, ends = 0.01, []
        for sign in (1, -1):
            with torch.no_grad():
                leaf += sign * step * way
                ends.append(model.objective(given, targets, model.head, context).double())
                leaf -= sign * step * way
        slope = float(ends[0] - ends[1]) / (2 * step)
        expected = float((grad * way).sum())
        assert abs(slope - expected) <= 0.02 * abs(expected), f"{slope} is not {expected}"


def precision_keeps_the_function(subject: Subject) -> None:
    """Training gives finite gradients and leaves plain weights; inference stays near fp32."""
    component = PRECISION[subject.name](**subject.options)
    model, batch = subject.model(), tokens()
    names, whole = list(model.state_dict()), logits(model, batch)
    full = model.loss(batch, tokens(seed=4))
    component.prepare_training(model)
    with component.autocast(torch.device("cpu")):
        loss = model.loss(batch, tokens(seed=4))
    loss.backward()
    assert distance(loss, full) < 0.1
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    component.finish_training(model)
    assert list(model.state_dict()) == names, "training leaves weights of other names"
    assert model.head.weight is model.embedding.weight, "training unties the head"
    assert torch.equal(logits(model, batch), whole), "training leaves another function"
    component.prepare_inference(model)
    out = logits(model, batch)
    assert distance(out.float(), whole) < 0.1
    stored = model.state_dict()
    assert stored.keys() >= {n for n in names if "norm" in n}, "norms are stored as something else"
    other = LanguageModel(subject.spec()).eval()
    component.prepare_inference(other)
    other.load_state_dict({name: tensor.clone() for name, tensor in stored.items()})
    assert torch.equal(logits(other, batch), out), "the stored weights make another function"
    with torch.device("meta"):
        priced = LanguageModel(subject.spec())
        component.prepare_inference(priced)
    shapes = {name: (t.shape, t.dtype) for name, t in priced.state_dict().items()}
    assert shapes == {name: (t.shape, t.dtype) for name, t in stored.items()}, "priced differently"
