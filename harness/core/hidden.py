"""Which parameters of a model are the matrices inside it."""

from torch import nn

from harness.core.grouped import GroupedLinear


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """Return the matrices by which the linear layers of blocks and objective multiply, once each.

    Stacked experts (E, out, in) are among them, and so are routers. Not among them are token
    embedding, head, position tables, short convolutions and vectors: not every parameter with two
    axes maps vectors to vectors.
    """
    layers = [
        layer
        for part in (model.get_submodule("blocks"), model.get_submodule("objective"))
        for layer in part.modules()
        if isinstance(layer, nn.Linear | GroupedLinear)
    ]
    # of the whole layer: a weight that is quantised while training is a parameter further inside
    return list(dict.fromkeys(p for layer in layers for p in layer.parameters() if p.ndim >= 2))
