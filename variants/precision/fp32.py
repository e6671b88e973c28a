"""Plain 32-bit floating point: the reference."""

from harness.core.slots import PRECISION, Precision


@PRECISION.register("fp32")
class FP32(Precision):
    """Weights, activations and optimizer state in fp32.

    Source:
        IEEE 754-2008, binary32.
    """
