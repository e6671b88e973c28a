"""Which parameters an optimizer treats alike."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from harness.core.grouped import GroupedLinear
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


def hidden_matrices(model: LanguageModel) -> list[nn.Parameter]:
    """Return the matrices by which the linear layers of blocks and objective multiply, once each.

    Stacked experts (E, out, in) are among them, and so are routers. Not among them are token
    embedding, head, position tables, short convolutions and vectors: not every parameter with two
    axes maps vectors to vectors.
    """
    layers = [
        layer
        for part in (model.blocks, model.objective)
        for layer in part.modules()
        if isinstance(layer, nn.Linear | GroupedLinear)
    ]
    # of the whole layer: a weight that is quantised while training is a parameter further inside
    return list(dict.fromkeys(p for layer in layers for p in layer.parameters() if p.ndim >= 2))
