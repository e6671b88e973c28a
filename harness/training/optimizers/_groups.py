"""Which parameters an optimizer treats alike."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from harness.core.hidden import hidden_matrices
from harness.core.model import LanguageModel

Rate = Annotated[float, Field(gt=0, le=100)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Decay = Annotated[float, Field(ge=0)]
Decays = Literal["matrices", "all"]


def decay_groups(
    parameters: Iterable[nn.Parameter], weight_decay: float, decays: Decays
) -> list[dict[str, Any]]:
    """Return a group of the parameters with two or more axes, and one of the others.

    The others (norms, biases and other vectors) decay only if all do.
    """
    parameters = list(parameters)
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {
            "params": [p for p in parameters if p.ndim < 2],
            "weight_decay": weight_decay if decays == "all" else 0.0,
        },
    ]


def rate_groups(
    model: LanguageModel,
    lr: float,
    weight_decay: float,
    decays: Decays,
    *,
    hidden: float = 1.0,
    other: float = 1.0,
) -> list[dict[str, Any]]:
    """Return the groups of all parameters with their peak rates.

    Where muP wants factors on the rates of hidden matrices and of everything else, these are groups
    apart. A weight then decays by as much a step as without the factors.
    """
    if hidden == other == 1.0:
        groups = decay_groups(model.parameters(), weight_decay, decays)
        return [group | {"peak_lr": lr} for group in groups]
    inside = hidden_matrices(model)
    taken = set(inside)
    outside = [p for p in model.parameters() if p not in taken]
    return [
        group | {"lr": lr * factor, "peak_lr": lr * factor}
        for parameters, factor in ((outside, other), (inside, hidden))
        for group in decay_groups(parameters, weight_decay / factor, decays)
        if group["params"]
    ]
