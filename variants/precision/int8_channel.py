"""8-bit integer weights with a scale per output channel."""

from harness.core.slots import PRECISION
from variants.precision._int8 import Int8Weights


@PRECISION.register("int8_channel")
class Int8Channel(Int8Weights):
    """Like `int8`, but all weights of an output channel share a scale.

    The layout that `torch._weight_int8pack_mm` and most kernels read. An outlier coarsens its
    whole row.

    Options:
        embedding: Whether the token embedding is quantised too, and with it a tied head.

    Source:
        Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference",
        arXiv:1806.08342, section 2.2 (symmetric, per channel).
    """

    def group_of(self, width: int) -> int:
        return width
