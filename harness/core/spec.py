"""An architecture as data: sizes, and a component for every slot."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from pydantic import Field

from harness.core.dims import MAX_WIDTH, Dims
from harness.core.registry import ComponentSpec
from harness.core.slots import PER_LAYER, PER_MODEL, PRECISION, SLOTS
from harness.errors import ConfigError, Path, Problem, unknown
from harness.schema import Frozen, parse

T = TypeVar("T")


class Init(Frozen):
    """How matrices start: by `scheme`, and those that write to the residual stream by `outputs`.

    `scheme` is `normal` with standard deviation `std` (Qwen3), or `pytorch`: uniform within
    1/sqrt(fan_in), and the token embedding standard normal, as torch's layers are built; `std` then
    says nothing. `outputs` is `normal`, like all others (Qwen3); `depth_scaled`, divided by
    sqrt(2 n_layers) (GPT-2); or `zero`: every block is the identity at first (Zhang et al. 2019,
    arXiv:1901.09321).
    """

    scheme: Literal["normal", "pytorch"] = "normal"
    std: float = Field(default=0.02, gt=0, le=10)
    outputs: Literal["normal", "depth_scaled", "zero"] = "normal"


class _Switches(Frozen):
    """What a variant says besides its dims and slots.

    `dropout` is applied to the embedding, to attention weights, inside the feed-forward, to what
    each sublayer adds and before the head; `logit_softcap` holds logits within +- its value. With
    `mup_base_width`, rates that suit a model of that `d_model` suit a wider one: hidden matrices
    start smaller, logits are scaled and optimizers scale their rates, by the ratio of the widths
    (the maximal update parametrization, of all widths that grow together).
    """

    tie_embeddings: bool = True
    dropout: float = Field(default=0.0, ge=0, lt=1)
    logit_softcap: float | None = Field(default=None, gt=0)
    mup_base_width: int | None = Field(default=None, ge=1, le=MAX_WIDTH)
    init: Init = Field(default_factory=Init)


@dataclass(frozen=True)
class PrecisionSpec:
    """The numbers computed with in training and, after a conversion, at inference."""

    train: ComponentSpec
    infer: ComponentSpec


@dataclass(frozen=True)
class VariantSpec:
    """A complete, canonical description of a model; equal specs build equal models.

    The slots of a layer hold a tuple of components that is cycled over the layers.
    """

    dims: Dims
    embedding: ComponentSpec
    position: tuple[ComponentSpec, ...]
    norm: tuple[ComponentSpec, ...]
    attention: tuple[ComponentSpec, ...]
    ffn: tuple[ComponentSpec, ...]
    block: tuple[ComponentSpec, ...]
    objective: ComponentSpec
    precision: PrecisionSpec
    tie_embeddings: bool = True
    dropout: float = 0.0
    logit_softcap: float | None = None
    mup_base_width: int | None = None
    init: Init = field(default_factory=Init)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "VariantSpec":
        """Read what YAML says of a variant: dims and slots side by side; missing slots are Qwen3's.

        Raises:
            ConfigError: every unknown key, wrong value and illegal pair, with its path.
        """
        collect = _Collector()
        known = [*Dims.model_fields, *SLOTS, *_Switches.model_fields]
        for key in data.keys() - set(known):
            collect.add(Problem((key,), unknown("key", key, known)))
        dims = collect((), _read_dims, data)
        collect.stop_on_problems()
        assert dims is not None
        slots: dict[str, Any] = {}
        for name, registry in PER_MODEL.items():
            slots[name] = collect((name,), registry.resolve, data.get(name, BASELINE[name]), dims)
        for name, registry in PER_LAYER.items():
            value = data.get(name, BASELINE[name])
            slots[name] = collect((name,), _read_layers, registry, value, dims)
        precision = data.get("precision", BASELINE["precision"])
        slots["precision"] = collect(("precision",), _read_precision, precision)
        given = {key: data[key] for key in _Switches.model_fields if key in data}
        switches = collect((), parse, _Switches, given)
        collect.stop_on_problems()
        assert switches is not None
        spec = cls(dims=dims, **slots, **dict(switches))
        if spec.mup_base_width and spec.init.scheme != "normal":
            wanted = "muP scales a normal start: `init.scheme` must be normal"
            raise ConfigError.at(("mup_base_width",), f"{wanted}, but is {spec.init.scheme!r}")
        spec._check_pairs()
        return spec

    def layer(self, slot: str, layer_idx: int) -> ComponentSpec:
        """Return the component that fills a slot of one layer."""
        cycle: tuple[ComponentSpec, ...] = getattr(self, slot)
        return cycle[layer_idx % len(cycle)]

    @property
    def width_ratio(self) -> float:
        """How much wider the model is than where muP changes nothing; 1 without muP."""
        return self.dims.d_model / self.mup_base_width if self.mup_base_width else 1.0

    def resized(self, **sizes: int) -> "VariantSpec":
        """Return the same architecture with other dims."""
        return replace(self, dims=self.dims.resized(**sizes))

    def to_dict(self, write: Callable[[str, ComponentSpec], dict[str, Any]] | None = None) -> Any:
        """Write everything, in the form that `read` takes.

        `write` turns a component of a slot into a mapping; by default it is written whole.
        """
        write = write or (lambda _, component: component.to_dict())
        return {**self._filled(write), **self._switches().model_dump()}

    def identity(self) -> dict[str, Any]:
        """Write what determines training: no defaults, so that adding an option changes nothing."""
        written = self._filled(lambda slot, spec: SLOTS[slot].non_default(spec, self.dims))
        written["precision"] = written["precision"]["train"]
        switches = self._switches().model_dump(exclude_defaults=True)
        return {**written, "init": {}, "tie_embeddings": self.tie_embeddings, **switches}

    def _filled(self, write: Callable[[str, ComponentSpec], dict[str, Any]]) -> dict[str, Any]:
        slots: dict[str, Any] = {name: write(name, getattr(self, name)) for name in PER_MODEL}
        for name in PER_LAYER:
            cycle = [write(name, component) for component in getattr(self, name)]
            slots[name] = cycle[0] if len(cycle) == 1 else cycle
        slots["precision"] = {
            "train": write("precision", self.precision.train),
            "infer": write("precision", self.precision.infer),
        }
        return {**self.dims.model_dump(), **slots}

    def _switches(self) -> "_Switches":
        return _Switches(**{key: getattr(self, key) for key in _Switches.model_fields})

    def _check_pairs(self) -> None:
        anywhere: set[str] = set()
        for layer_idx in range(self.dims.n_layers):
            filled = {slot: self.layer(slot, layer_idx) for slot in PER_LAYER}
            filled |= {slot: getattr(self, slot) for slot in PER_MODEL}
            for slot, component in filled.items():
                anywhere |= SLOTS[slot][component.name].provides
                others = {s: c for s, c in filled.items() if s != slot}
                _check_layer(slot, component, others, layer_idx)
        for slot in PER_MODEL:  # what one layer provides is enough for the whole model
            name = getattr(self, slot).name
            for feature in sorted(SLOTS[slot][name].requires - anywhere):
                needs = f"{slot} {name!r} needs a component that provides {feature!r}"
                raise ConfigError.at((slot,), f"{needs}, and no layer has one")


BASELINE: dict[str, str] = {  # Qwen3; names of components, so that a missing slot is never empty
    "embedding": "token",
    "position": "rope",
    "norm": "rms_norm",
    "attention": "gqa",
    "ffn": "swiglu",
    "block": "pre_norm",
    "objective": "next_token",
    "precision": "fp32",
}


class _Collector:
    """Runs readers one after the other, so that a user sees all mistakes at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __call__(self, prefix: Path, reader: Callable[..., T], *args: object) -> T | None:
        try:
            return reader(*args)
        except ConfigError as error:
            self.problems += error.within(*prefix).problems
            return None

    def add(self, problem: Problem) -> None:
        self.problems.append(problem)

    def stop_on_problems(self) -> None:
        if self.problems:
            raise ConfigError(*self.problems)


def _read_dims(data: Mapping[str, Any]) -> Dims:
    sizes = {key: data[key] for key in Dims.model_fields if key in data}
    d_model, n_heads = sizes.get("d_model"), sizes.get("n_heads")
    if "head_dim" not in sizes and isinstance(d_model, int) and isinstance(n_heads, int):
        if n_heads < 1 or d_model % n_heads:
            divide = f"d_model ({d_model}) must be divisible by n_heads ({n_heads})"
            raise ConfigError.at(("n_heads",), f"{divide}, or head_dim be given")
        sizes["head_dim"] = d_model // n_heads
    return parse(Dims, sizes)


def _read_layers(registry: Any, value: object, dims: Dims) -> tuple[ComponentSpec, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return (registry.resolve(value, dims),)
    if not 1 <= len(value) <= dims.n_layers:
        between = f"must hold between 1 and n_layers ({dims.n_layers}) components"
        raise ConfigError.at((), f"a list cycled over the layers {between}, but got {len(value)}")
    collect = _Collector()
    cycle = [collect((i,), registry.resolve, v, dims) for i, v in enumerate(value)]
    collect.stop_on_problems()
    return _shortest_cycle([c for c in cycle if c is not None], dims.n_layers)


def _shortest_cycle(cycle: list[ComponentSpec], n_layers: int) -> tuple[ComponentSpec, ...]:
    """Write a cycle in the one shortest way, so that equal architectures are equal specs."""
    layers = [cycle[i % len(cycle)] for i in range(n_layers)]
    for length in range(1, len(cycle) + 1):
        if all(layers[i] == layers[i % length] for i in range(n_layers)):
            return tuple(layers[:length])
    raise AssertionError("a cycle always repeats itself")


def _read_precision(value: object) -> PrecisionSpec:
    sides = {"train", "infer"}
    if isinstance(value, Mapping) and value.keys() <= sides:
        both = {side: value.get(side, BASELINE["precision"]) for side in sides}
    else:
        both = dict.fromkeys(sides, value)
    collect = _Collector()
    read = {side: collect((side,), PRECISION.resolve, v) for side, v in both.items()}
    collect.stop_on_problems()
    return PrecisionSpec(**read)  # type: ignore[arg-type]


def _check_layer(
    slot: str, component: ComponentSpec, others: dict[str, ComponentSpec], layer_idx: int
) -> None:
    this = SLOTS[slot][component.name]
    provided = {f: s for s, c in others.items() for f in SLOTS[s][c.name].provides}
    for feature in sorted(this.excludes & provided.keys()):
        other = provided[feature]
        raise ConfigError.at(
            (slot,),
            f"{slot} {component.name!r} does not go together with {other} "
            f"{others[other].name!r} (layer {layer_idx}): it excludes {feature!r}",
        )
    for feature in sorted(this.requires - provided.keys()) if slot in PER_LAYER else ():
        raise ConfigError.at(
            (slot,),
            f"{slot} {component.name!r} needs a component that provides {feature!r}, "
            f"and layer {layer_idx} has none",
        )
