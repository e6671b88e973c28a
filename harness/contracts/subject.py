"""What contracts are held against: a component inside an otherwise tiny and lively model.

Lively: large weights and norm weights away from 1, because the usual start (0.02, ones, zero
outputs) hides mistakes.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

import torch
from pydantic.fields import FieldInfo
from torch import Tensor

from harness.core.causality import moved
from harness.core.model import LanguageModel
from harness.core.slots import SLOTS
from harness.core.spec import BASELINE, VariantSpec
from harness.errors import ConfigError

VOCAB_SIZE, LENGTH = 61, 13
TINY: dict[str, Any] = {
    "d_model": 32,
    "n_layers": 2,
    "n_heads": 4,
    "head_dim": 8,
    "d_ff": 48,
    "vocab_size": VOCAB_SIZE,
    "max_seq_len": 32,
    "position": {"name": "rope", "theta": 10_000.0},
    "init": {"std": 0.3},
}


@dataclass(frozen=True)
class Subject:
    """A component with its options, and the partners it needs in other slots."""

    slot: str
    name: str  # of a component, or an alias
    options: Mapping[str, Any] = field(default_factory=dict)
    partners: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        chosen = [*self.options.items(), *self.partners.items()]
        return f"{self.slot}-{self.name}" + "".join(f"-{key}={value}" for key, value in chosen)

    def spec(self, **changes: Any) -> VariantSpec:
        """Return the description of the model around the component."""
        filled = {self.slot: {"name": self.name, **self.options}}
        return VariantSpec.read({**TINY, **self.partners, **filled, **changes})

    def model(self, **changes: Any) -> LanguageModel:
        """Build that model, with lively weights."""
        return lively(LanguageModel(self.spec(**changes)))


def subjects() -> list[Subject]:
    """Every registered component and alias, and each component with one option changed.

    A switch is thrown, a choice takes each of its values, and any other option those that it lists
    itself, where it is declared: `Annotated[int, Field(ge=1, examples=[2])]`. A required option
    takes the first of them.
    """
    found = []
    for slot, registry in SLOTS.items():
        for name in [*registry, *registry.aliases()]:
            subject = Subject(slot, name, _required(slot, name))
            found += [with_partners(s) for s in [subject, *_changed(subject)]]
    return found


def with_partners(subject: Subject) -> Subject:
    """Exchange one component of another slot if the subject cannot stand among Qwen3's."""
    names = [(slot, name) for slot in SLOTS if slot != subject.slot for name in SLOTS[slot]]
    for partners in [{}, *({slot: name} for slot, name in names)]:
        candidate = dataclasses.replace(subject, partners=partners)
        try:
            LanguageModel(candidate.spec())
        except ConfigError as error:
            last = error
        else:
            return candidate
    raise last


def _required(slot: str, name: str) -> dict[str, Any]:
    registry = SLOTS[slot]
    if name in registry.aliases():  # it fixes them
        return {}
    fields = registry.schema(name).model_fields
    return {o: (about.examples or [None])[0] for o, about in fields.items() if about.is_required()}


def _changed(subject: Subject) -> list[Subject]:
    registry = SLOTS[subject.slot]
    if subject.name in registry.aliases():
        return []
    return [
        dataclasses.replace(subject, options={**subject.options, option: value})
        for option, about in registry.schema(subject.name).model_fields.items()
        for value in _values(about)
        if value != subject.options.get(option, about.default)
    ]


def _values(about: FieldInfo) -> list[Any]:
    """Return the values of an option that are worth trying."""
    if about.annotation is bool:
        return [True, False]
    if get_origin(about.annotation) is Literal:
        return list(get_args(about.annotation))
    return about.examples or []


def lively(model: LanguageModel) -> LanguageModel:
    """Initialise a model as its variant says, and move what does not start random."""
    return moved(model.initialize(0))


def tokens(n_rows: int = 2, length: int = LENGTH, seed: int = 3) -> Tensor:
    """Draw a batch."""
    return torch.randint(
        VOCAB_SIZE, (n_rows, length), generator=torch.Generator().manual_seed(seed)
    )


@torch.no_grad()
def logits(model: LanguageModel, batch: Tensor, **arguments: Any) -> Tensor:
    """Return the logits without a graph."""
    return model(batch, **arguments)


def distance(a: Tensor, b: Tensor) -> float:
    """Return the largest difference, relative to the largest value."""
    a, b = a.detach(), b.detach()
    assert a.shape == b.shape, f"{tuple(a.shape)} is not {tuple(b.shape)}"
    assert a.isfinite().all() and b.isfinite().all(), "not finite"
    return float((a - b).abs().max() / b.abs().max())


def embedded(model: LanguageModel, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the embedding gave, as a leaf of the graph, and the logits."""
    leaves: list[Tensor] = []

    def cut(_module: Any, _inputs: Any, out: Tensor) -> Tensor:
        leaves.append(out.detach().requires_grad_())
        return leaves[-1]

    with model.embedding.register_forward_hook(cut):
        out = model(batch)
    return leaves[0], out


assert BASELINE.keys() == SLOTS.keys(), "a new slot needs a baseline"
