"""What the 8-bit precisions share: which weights they change, and how these are held."""

import functools
from abc import abstractmethod

from torch import Tensor, nn

from harness.core.grouped import GroupedLinear
from harness.core.quantize import dequantize, quantize
from harness.core.slots import Precision

MULTIPLYING = (nn.Linear, GroupedLinear)


class Int8Weights(Precision):
    """At inference, matrices are 8-bit integers with fp32 scales, one a group of their rows.

    These are all matrices that multiply: linear layers, stacked experts, the head and, with
    `embedding`, the token embedding; a head that is tied goes with it, and both stay one tensor.
    What else a model has stays fp32: norms, biases and other vectors, tables of positions, short
    convolutions. Reading a weight dequantises it, so every component computes as it always does.
    """

    def __init__(self, *, embedding: bool = True) -> None:
        self.embedding = embedding

    @abstractmethod
    def group_of(self, width: int) -> int:
        """Return how many weights of a row, `width` long, share a scale."""

    def prepare_inference(self, model: nn.Module) -> None:
        """Convert the matrices; `weight` becomes the buffers `weight_int8` and `weight_scale`."""
        for weight, modules in matrices(model, self.embedding).items():
            held = quantize(weight.detach(), self.group_of(weight.shape[-1]))
            for module in modules:
                hold_as_int8(module, *held)


def matrices(model: nn.Module, embedding: bool) -> dict[Tensor, list[nn.Module]]:
    """Return the weights that are quantised, each with the modules that share it."""
    table = model.embedding
    sharing: dict[Tensor, list[nn.Module]] = {}
    for module in model.modules():
        if isinstance(module, MULTIPLYING) or module is table:
            assert isinstance(module.weight, Tensor)
            sharing.setdefault(module.weight, []).append(module)
    return {w: modules for w, modules in sharing.items() if embedding or table not in modules}


def hold_as_int8(module: nn.Module, values: Tensor, scale: Tensor) -> None:
    """Replace the parameter `weight` by two buffers, from which it can still be read."""
    del module.weight
    module.register_buffer("weight_int8", values)
    module.register_buffer("weight_scale", scale)
    module.__class__ = _with_weight_in_int8(type(module))  # type: ignore[arg-type]


@functools.cache
def _with_weight_in_int8(kind: type[nn.Module]) -> type[nn.Module]:
    weight = property(lambda module: dequantize(module.weight_int8, module.weight_scale))
    return type(f"Int8{kind.__name__}", (kind,), {"weight": weight})
