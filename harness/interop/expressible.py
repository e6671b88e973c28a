"""Which variants a Qwen3 configuration can express, and what stands in the way of the others.

What is not listed here is refused, so a new component or option is refused until it is listed.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from harness.core.registry import ComponentSpec
from harness.core.slots import PER_LAYER, SLOTS
from harness.core.spec import VariantSpec
from harness.errors import ConfigError, Path, Problem

# By slot and component: the options that may differ from their default.
QWEN3: dict[str, dict[str, set[str]]] = {
    "embedding": {"token": set()},
    "position": {
        "rope": {"theta"},
        "yarn": {
            *("theta", "factor", "original_max_seq_len"),
            *("beta_fast", "beta_slow", "attention_factor"),
        },
    },
    "norm": {"rms_norm": {"eps"}},
    "attention": {"gqa": {"n_kv_heads", "bias", "window"}},
    "ffn": {
        "swiglu": set(),
        "moe": {"n_experts", "top_k", "normalize_top_k", "d_ff", "balance_loss", "z_loss"},
    },
    "block": {"pre_norm": set()},
}
# Training with other numbers than these makes weights that mean something else.
TRAINED_IN = {"fp32", "bf16"}
# What tells nothing of the logits: how weights start, what is minimised, what happens later.
SILENT = {"dims", "objective", "precision", "tie_embeddings", "dropout", "init"}
# A layer may be windowed or not, and dense or not; all else is said once for all layers.
MAY_DIFFER = {"ffn", "attention.window"}


def check_expressible(spec: VariantSpec) -> None:
    """Make sure that Qwen3 can express a variant.

    Raises:
        ConfigError: everything that it cannot, by slot, component and option.
    """
    problems = list(_obstacles(spec))
    if problems:
        raise ConfigError(*problems)


def windows(spec: VariantSpec) -> list[int | None]:
    """Return the attention window of every layer."""
    layers = range(spec.dims.n_layers)
    return [spec.layer("attention", i).options.get("window") for i in layers]


def experts(spec: VariantSpec) -> list[ComponentSpec | None]:
    """Return the mixture of experts of every layer, None for a dense one."""
    filled = [spec.layer("ffn", i) for i in range(spec.dims.n_layers)]
    return [ffn if ffn.name == "moe" else None for ffn in filled]


def _obstacles(spec: VariantSpec) -> Iterator[Problem]:
    for slot in QWEN3:
        cycle = getattr(spec, slot) if slot in PER_LAYER else (getattr(spec, slot),)
        for i, component in enumerate(cycle):
            path: Path = (slot, i) if len(cycle) > 1 else (slot,)
            yield from _unlisted(spec, slot, component, path)
        yield from _different(slot, cycle)
    if spec.precision.train.name not in TRAINED_IN:
        name = spec.precision.train.name
        yield Problem(("precision", "train"), f"Qwen3 is not made of weights trained in {name!r}")
    for about in dataclasses.fields(spec):
        value = getattr(spec, about.name)
        if about.name not in {*QWEN3, *SILENT} and value != about.default:
            yield Problem((about.name,), f"Qwen3 cannot express it, but it is {value!r}")
    yield from _window_pattern(spec)


def _unlisted(
    spec: VariantSpec, slot: str, component: ComponentSpec, path: Path
) -> Iterator[Problem]:
    known = QWEN3[slot]
    if component.name not in known:
        only = " or ".join(map(repr, known))
        yield Problem(path, f"Qwen3 has no {component.name!r}, only {only}")
        return
    changed = SLOTS[slot].non_default(component, spec.dims)
    for option in changed.keys() - known[component.name] - {"name"}:
        message = f"Qwen3 cannot express {changed[option]!r} (of {slot} {component.name!r})"
        yield Problem((*path, option), message)


def _different(slot: str, cycle: tuple[ComponentSpec, ...]) -> Iterator[Problem]:
    """Find what layers disagree on and Qwen3 says once."""
    names = [name for name in _distinct(c.name for c in cycle) if name in QWEN3[slot]]
    if len(names) > 1 and slot not in MAY_DIFFER:
        message = f"Qwen3 has one component for all layers, but got {_listed(names)}"
        yield Problem((slot,), message)
    for name in names:
        alike = [component.options for component in cycle if component.name == name]
        for option in alike[0]:
            values = _distinct(options[option] for options in alike)
            if len(values) > 1 and f"{slot}.{option}" not in MAY_DIFFER:
                message = f"Qwen3 has one value for all layers, but got {_listed(values)}"
                yield Problem((slot, option), message)


def _window_pattern(spec: VariantSpec) -> Iterator[Problem]:
    of_layers = windows(spec)
    sizes = [window for window in of_layers if window is not None]
    path = ("attention", "window")
    if len(set(sizes)) > 1:
        yield Problem(path, f"Qwen3 has one window, but got {_listed(_distinct(sizes))}")
    elif sizes and any(experts(spec)) and len(sizes) < len(of_layers):
        yield Problem(path, "Qwen3 with experts has a window in every layer or in none")
    elif sizes and None in of_layers[-len(sizes) :]:
        yield Problem(path, "Qwen3 has full attention in its first layers and windows in the rest")


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _listed(values: list[Any]) -> str:
    return " and ".join(map(repr, values))
