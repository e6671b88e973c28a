"""8-bit integer weights and activations: what the products of an integer kernel give."""

from functools import partial
from typing import Any

from torch import Tensor, nn

from harness.core.quantize import fake_quantize
from harness.core.slots import PRECISION
from variants.precision._int8 import MULTIPLYING
from variants.precision.int8 import Int8


@PRECISION.register("int8_dynamic")
class Int8Dynamic(Int8):
    """Like `int8`, and the inputs of its matrix products are quantised in the same groups (W8A8).

    An activation's scale is found when it is there. The products are computed in fp32 on numbers
    that stand on the two grids: equal, to rounding, to int32 sums a group times both scales. It
    measures what W8A8 does to quality, not its speed. Attention's own products, of queries, keys
    and values, are not touched, and neither is the expansion of latents that `mla` folds into them.

    Options:
        group_size: Numbers that share a scale, at least 4; halved, down to 4, until it divides the
            width of a matrix, which must then be so divisible.
        embedding: Whether the token embedding is quantised too, and with it a tied head.

    Source:
        Dettmers et al. 2022, "LLM.int8()", arXiv:2208.07339, section 2; by group on both sides, as
        llama.cpp computes with Q8_0.
    """

    def prepare_inference(self, model: nn.Module) -> None:
        super().prepare_inference(model)
        for module in model.modules():
            values = getattr(module, "weight_int8", None)
            if isinstance(module, MULTIPLYING) and isinstance(values, Tensor):
                group_size = self.group_of(values.shape[-1])
                module.register_forward_pre_hook(partial(_quantize_input, group_size))


def _quantize_input(group_size: int, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    x, *others = inputs
    return fake_quantize(x, group_size), *others
