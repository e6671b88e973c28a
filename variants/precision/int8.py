"""8-bit integer weights with a scale per group: smaller, and nearly the same function."""

from typing import Annotated

from pydantic import Field

from harness.core.quantize import SMALLEST_GROUP, fitting_group
from harness.core.slots import PRECISION
from variants.precision._int8 import Int8Weights


@PRECISION.register("int8")
class Int8(Int8Weights):
    """At inference, matrices are `scale * int8`, with a scale for each group along their rows.

    `scale = max|w| / 127` over a group, `int8 = round(w / scale)`, halves to even; a group of zeros
    has the scale 1. Products are of fp32 activations with the dequantised weights. Matrices are
    those of linear layers, stacked experts, head and token embedding (a tied head stays one tensor
    with it); norms, biases and everything else stay fp32.

    Options:
        group_size: Weights that share a scale, at least 4; halved, down to 4, until it divides the
            width of a matrix, which must then be so divisible.
        embedding: Whether the token embedding is quantised too, and with it a tied head.

    Source:
        Dettmers et al. 2022, "LLM.int8()", arXiv:2208.07339, section 2 (absmax quantisation, there
        by vector); by group, as in the Q8_0 format of llama.cpp, with groups of 64 and fp32 scales.
    """

    def __init__(
        self,
        *,
        group_size: Annotated[int, Field(ge=SMALLEST_GROUP)] = 64,
        embedding: bool = True,
    ) -> None:
        super().__init__(embedding=embedding)
        self.group_size = group_size

    def group_of(self, width: int) -> int:
        return fitting_group(width, self.group_size)
