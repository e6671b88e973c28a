"""A feed-forward gated by a plain sigmoid: SwiGLU as it is sometimes misread."""

from jaxtyping import Float
from torch import Tensor

from harness.core.slots import FFN
from variants.ffn._dense import GatedFeedForward


@FFN.register("sigmoid_glu")
class SigmoidGLU(GatedFeedForward):
    """`down(sigmoid(gate(x)) * up(x))`, with `d_ff` hidden channels and no biases.

    Source:
        Dauphin et al. 2016, "Language Modeling with Gated Convolutional Networks",
        arXiv:1612.08083, where it is the GLU and no fault; Shazeer 2020, arXiv:2002.05202.
    """

    fault = (
        "The gate lacks the factor x that makes a sigmoid a SiLU: so the documentation of a Qwen3 "
        "inference engine writes SwiGLU, though its code computes the right one."
    )

    def activation(self, x: Float[Tensor, "B T F"]) -> Float[Tensor, "B T F"]:
        return x.sigmoid()
