"""What an attention layer takes from layers before it: their keys and values, or their values."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

from harness.core.context import Context
from harness.errors import ConfigError

FIRST_VALUES = "first values"


class KeysAndValues(NamedTuple):
    """What queries read; `positions` are those of a cache, None when these are all the tokens."""

    k: Float[Tensor, "B S K C"]
    v: Float[Tensor, "B S K C"]
    positions: Int[Tensor, "_ S"] | None


def settings(component: nn.Module) -> str:
    """Write a component's class and its plain settings: components that compute alike, alike."""
    plain = {n: v for n, v in vars(component).items() if isinstance(v, int | float)}
    said = ", ".join(f"{name}={value}" for name, value in plain.items() if name != "training")
    return f"{type(component).__name__}({said})"


@dataclass(frozen=True)
class Sharing:
    """Whose keys and values a layer reads: those of layer `owner`, which must be of its `kind`."""

    layer_idx: int
    owner: int
    kind: str

    @property
    def owns(self) -> bool:
        """Whether the layer makes what it reads."""
        return self.owner == self.layer_idx

    def leave(self, context: Context, read: KeysAndValues) -> None:
        """Leave keys and values for later layers."""
        for name, value in read._asdict().items():
            if value is not None:
                context.publish(f"{name} of {self.kind}", self.layer_idx, value)

    def take(self, context: Context) -> KeysAndValues:
        """Return what the owner has left.

        Raises:
            ConfigError: it is not of the same kind, and has left nothing.
        """
        k, v, positions = (
            context.published(f"{name} of {self.kind}").get(self.owner)
            for name in KeysAndValues._fields
        )
        if k is None or v is None:
            reads = f"layer {self.layer_idx} reads the keys and values of layer {self.owner}"
            raise ConfigError.at(("attention",), f"{reads}, which must be {self.kind} too")
        return KeysAndValues(k, v, positions)


def mix_first_values(
    context: Context, layer_idx: int, v: Float[Tensor, "B T K C"], weights: nn.Parameter | None
) -> Float[Tensor, "B T K C"]:
    """Return `weights[0] * v + weights[1] * first`, or `v` where there are no weights.

    The first values are those of the first layer that comes here.

    Raises:
        ConfigError: that layer has another number of key-value heads.
    """
    if not context.published(FIRST_VALUES):
        context.publish(FIRST_VALUES, layer_idx, v)
    if weights is None:
        return v
    first_idx, first = next(iter(context.published(FIRST_VALUES).items()))
    if first.shape != v.shape:
        heads = f"layer {first_idx} has {first.shape[2]} key-value heads"
        message = f"{heads} and layer {layer_idx} has {v.shape[2]}: their values cannot be mixed"
        raise ConfigError.at(("attention",), message)
    return weights[0] * v + weights[1] * first
