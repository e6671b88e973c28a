"""Predict the next token: the Qwen3 baseline."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.cross_entropy import linear_cross_entropy
from harness.core.slots import OBJECTIVE, Objective


@OBJECTIVE.register("next_token")
class NextToken(Objective):
    """Mean cross-entropy of the next token, in nats.

    Source:
        Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training"; computed
        in chunks as in Wijmans et al. 2024, "Cut Your Losses", arXiv:2411.09009, section 4.
    """

    def forward(
        self,
        hidden: Float[Tensor, "B T D"],
        targets: Int[Tensor, "B T"],
        head: nn.Linear,
        context: Context,
    ) -> Float[Tensor, ""]:
        return linear_cross_entropy(hidden.flatten(0, 1), head.weight, targets.flatten())
