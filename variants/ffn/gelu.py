"""GELU feed-forward: two matrices, no gate."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from harness.core.slots import FFN
from variants.ffn._dense import PlainFeedForward


@FFN.register("gelu")
class GELU(PlainFeedForward):
    """`down(gelu(up(x)))`, with `d_ff` hidden channels and no biases.

    At equal `d_ff` this has two thirds of SwiGLU's parameters: match, or compare with care.

    Source:
        Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", arXiv:1606.08415 (the exact form).
    """

    def activation(self, x: Float[Tensor, "B T F"]) -> Float[Tensor, "B T F"]:
        return F.gelu(x)
