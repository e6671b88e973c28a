"""Dynamic Tanh: a squashing function in the place of a norm."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from harness.core.slots import NORM, Norm


@NORM.register("dyt")
class DynamicTanh(Norm):
    """`weight * tanh(alpha * x) + bias`, with one learned `alpha` for all channels.

    Options:
        alpha: Where the learned scale starts, > 0.

    Source:
        Zhu et al. 2025, "Transformers without Normalization", arXiv:2503.10622, section 4.
    """

    def __init__(self, width: int, *, alpha: Annotated[float, Field(gt=0)] = 0.5) -> None:
        super().__init__(width)
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.alpha = nn.Parameter(torch.full((1,), alpha))  # an axis: sharding refuses scalars

    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        return self.weight * torch.tanh(self.alpha * x) + self.bias
