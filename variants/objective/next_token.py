"""Predict the next token: the Qwen3 baseline."""

from typing import Annotated

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from harness.core.context import Context
from harness.core.cross_entropy import linear_cross_entropy
from harness.core.dims import Dims
from harness.core.head import Head
from harness.core.slots import OBJECTIVE, MakeBlock, MakeNorm, Objective


@OBJECTIVE.register("next_token")
class NextToken(Objective):
    """Mean cross-entropy of the next token, in nats.

    Options:
        z_loss: Weight of the squared log of the softmax's normaliser, >= 0; 1e-4 in PaLM.

    Source:
        Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training"; computed
        in chunks as in Wijmans et al. 2024, "Cut Your Losses", arXiv:2411.09009, section 4; z-loss
        of Chowdhery et al. 2022, "PaLM", arXiv:2204.02311, section 5.
    """

    def __init__(
        self,
        dims: Dims,
        make_block: MakeBlock,
        make_norm: MakeNorm,
        *,
        z_loss: Annotated[float, Field(ge=0)] = 0.0,
    ) -> None:
        super().__init__(dims, make_block, make_norm)
        self.z_loss = z_loss

    def forward(
        self,
        hidden: Float[Tensor, "B T D"],
        targets: Int[Tensor, "B T"],
        head: Head,
        context: Context,
    ) -> Float[Tensor, ""]:
        return linear_cross_entropy(hidden.flatten(0, 1), head, targets.flatten(), self.z_loss)
