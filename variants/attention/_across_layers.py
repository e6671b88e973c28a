"""What an attention layer takes from layers before it: their keys and values, or their values."""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

from harness.core.context import Context
from harness.errors import ConfigError

KEYS, VALUES, POSITIONS, FIRST_VALUES = "keys", "values", "key positions", "first values"


class KeysAndValues(NamedTuple):
    """What queries read; `positions` are those of a cache, None when these are all the tokens."""

    k: Float[Tensor, "B S K C"]
    v: Float[Tensor, "B S K C"]
    positions: Int[Tensor, "_ S"] | None


def share(context: Context, layer_idx: int, kind: str, read: KeysAndValues) -> None:
    """Leave the keys and values of a layer for others of its kind."""
    context.publish(f"{KEYS} of {kind}", layer_idx, read.k)
    context.publish(f"{VALUES} of {kind}", layer_idx, read.v)
    if read.positions is not None:
        context.publish(f"{POSITIONS} of {kind}", layer_idx, read.positions)


def shared(context: Context, layer_idx: int, owner: int, kind: str) -> KeysAndValues:
    """Return what layer `owner` has left for layer `layer_idx`.

    Raises:
        ConfigError: it is no attention of the same kind.
    """
    if owner not in context.published(f"{KEYS} of {kind}"):
        needs = f"layer {layer_idx} shares the keys and values of layer {owner}, which must be"
        raise ConfigError.at(("attention",), f"{needs} {kind} too")
    return KeysAndValues(
        context.published(f"{KEYS} of {kind}")[owner],
        context.published(f"{VALUES} of {kind}")[owner],
        context.published(f"{POSITIONS} of {kind}").get(owner),
    )


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
