"""GEGLU feed-forward: a gate of GELU."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from harness.core.slots import FFN
from variants.ffn._dense import GatedFeedForward


@FFN.register("geglu")
class GEGLU(GatedFeedForward):
    """`down(gelu(gate(x)) * up(x))`, with `d_ff` hidden channels and no biases.

    Source:
        Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202.
    """

    def activation(self, x: Float[Tensor, "B T F"]) -> Float[Tensor, "B T F"]:
        return F.gelu(x)
