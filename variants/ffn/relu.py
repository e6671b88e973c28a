"""ReLU feed-forward: the first transformer's, two matrices and no gate."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from harness.core.slots import FFN
from variants.ffn._dense import PlainFeedForward


@FFN.register("relu")
class ReLU(PlainFeedForward):
    """`down(relu(up(x)))`, with `d_ff` hidden channels and no biases.

    At equal `d_ff` this has two thirds of SwiGLU's parameters: match, or compare with care.

    Source:
        Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762, section 3.3, which has
        biases.
    """

    def activation(self, x: Float[Tensor, "B T F"]) -> Float[Tensor, "B T F"]:
        return F.relu(x)
