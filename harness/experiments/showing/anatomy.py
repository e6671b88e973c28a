"""The inside of a variant: its modules, its parameters, and one forward pass."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

import torch
from rich.console import Group, RenderableType
from rich.text import Text
from torch import nn

from harness.core.counts import count_parameters
from harness.core.model import LanguageModel
from harness.core.slots import SLOTS, Slot
from harness.errors import ConfigError
from harness.experiments.showing.named_variant import named_variant
from harness.quantities import format_count
from harness.terminal import plain_table

MOST_SAMPLED = 50_000_000  # parameters; larger models are not allocated only to be looked at
SAMPLE_TOKENS = 5


@dataclass(frozen=True)
class Part:
    """A module of a model, or several that are alike and follow each other.

    `params` are those of one of them with its parts; a weight that is shared with an earlier part
    is not counted again.
    """

    name: str
    what: str  # the component's name, or the class
    weights: tuple[str, ...]  # its own
    params: int
    parts: tuple["Part", ...]
    times: int = 1


def anatomy(preset: str, changes: Sequence[str]) -> dict[str, Any]:
    """Build a variant and describe it; `sample` is None if it is too large to be run for that.

    Raises:
        ConfigError: no such preset, or a change that it does not take.
    """
    spec = named_variant(preset, changes)
    try:
        with torch.device("meta"):
            model = LanguageModel(spec)
    except ConfigError as error:
        raise error.within("variant") from None
    counts = count_parameters(model)
    small = counts.unique <= MOST_SAMPLED
    return {
        "preset": preset,
        "parts": [asdict(part) for part in _described(model).parts],
        "counts": counts.to_dict(),
        "sample": _sample(LanguageModel(spec).initialize(0).eval()) if small else None,
        "variant": spec.to_dict(),
    }


def anatomy_view(found: dict[str, Any]) -> RenderableType:
    """Draw an anatomy for people."""
    tree = plain_table(found["preset"])
    for column in ("part", "is", "weights"):
        tree.add_column(column, overflow="fold")
    tree.add_column("parameters", justify="right", no_wrap=True)
    for part in found["parts"]:
        for row in _rows(part, 0):
            tree.add_row(*row)
    counts = plain_table(None, show_header=False)
    for name, n in found["counts"].items():
        counts.add_row(name.replace("_", "-"), f"{format_count(n)} ({n:,})")
    return Group(tree, counts, Text(_said_of(found["sample"])))


def _described(model: LanguageModel) -> Part:
    names = {registry[name]: name for registry in SLOTS.values() for name in registry}
    counted: set[int] = set()

    def describe(name: str, module: nn.Module) -> Part:
        weights, n_own = [], 0
        for key, weight in module.named_parameters(recurse=False):
            shared = id(weight) in counted
            counted.add(id(weight))
            n_own += 0 if shared else weight.numel()
            shape = " x ".join(map(str, weight.shape))
            weights.append(f"{key} {shape}" + " (shared)" * shared)
        parts = [describe(n, m) for n, m in module.named_children() if _is_shown(m)]
        if isinstance(module, nn.ModuleList):
            parts = list(_alike_as_one(parts))
        what = names.get(type(module), type(module).__name__)
        params = n_own + sum(part.params * part.times for part in parts)
        return Part(name, what, tuple(weights), params, tuple(parts))

    return describe("", model)


def _is_shown(module: nn.Module) -> bool:
    return isinstance(module, Slot) or next(module.parameters(), None) is not None


def _alike_as_one(parts: Sequence[Part]) -> Iterator[Part]:
    for _, group in groupby(parts, key=lambda part: replace(part, name="")):
        alike = list(group)
        first, last = alike[0], alike[-1]
        name = first.name if first is last else f"{first.name}-{last.name}"
        yield replace(first, name=name, times=len(alike))


def _rows(part: dict[str, Any], depth: int) -> Iterator[tuple[str, ...]]:
    times = f"{part['times']} times " if part["times"] > 1 else ""
    weights = ", ".join(part["weights"])
    yield "  " * depth + part["name"], part["what"], weights, f"{times}{part['params']:,}"
    for inner in part["parts"]:
        yield from _rows(inner, depth + 1)


@torch.no_grad()
def _sample(model: LanguageModel) -> dict[str, Any]:
    """Feed the tokens 1, 2, ... to a model, each of which the next one follows."""
    dims = model.spec.dims
    count = torch.arange(1, min(SAMPLE_TOKENS, dims.max_seq_len) + 2)[None] % dims.vocab_size
    logits = model(count[:, :-1])
    return {
        "tokens": count[0, :-1].tolist(),
        "logits_shape": list(logits.shape),
        "finite": bool(logits.isfinite().all()),
        "loss": float(model.loss(count[:, :-1], count[:, 1:])),
        "loss_of_a_guess": math.log(dims.vocab_size),
    }


def _said_of(sample: dict[str, Any] | None) -> str:
    if sample is None:
        few = f"{format_count(MOST_SAMPLED)} parameters"
        return f"Not run: built on the meta device alone, as are all models of more than {few}."
    shape = " x ".join(map(str, sample["logits_shape"]))
    finite = "all finite" if sample["finite"] else "not all finite"
    loss = f"loss {sample['loss']:.3f}; ln(vocab_size) is {sample['loss_of_a_guess']:.3f}"
    return f"Tokens {sample['tokens']}, weights of seed 0: logits {shape}, {finite}; {loss}."
