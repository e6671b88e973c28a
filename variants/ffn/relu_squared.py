"""Squared ReLU feed-forward: two matrices, no gate."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from harness.core.slots import FFN
from variants.ffn._dense import PlainFeedForward


@FFN.register("relu_squared")
class SquaredReLU(PlainFeedForward):
    """`down(relu(up(x)) ** 2)`, with `d_ff` hidden channels and no biases.

    At equal `d_ff` this has two thirds of SwiGLU's parameters: match, or compare with care.

    Source:
        So et al. 2021, "Primer: Searching for Efficient Transformers", arXiv:2109.08668.
    """

    def activation(self, x: Float[Tensor, "B T F"]) -> Float[Tensor, "B T F"]:
        return F.relu(x).square()
