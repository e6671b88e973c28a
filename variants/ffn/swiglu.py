"""SwiGLU feed-forward: the Qwen3 baseline."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from harness.core.slots import FFN
from variants.ffn._dense import GatedFeedForward


@FFN.register("swiglu")
class SwiGLU(GatedFeedForward):
    """`down(silu(gate(x)) * up(x))`, with `d_ff` hidden channels and no biases.

    Source:
        Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202.
    """

    def activation(self, x: Float[Tensor, "B T F"]) -> Float[Tensor, "B T F"]:
        return F.silu(x)
