"""Root-mean-square normalisation: the Qwen3 baseline."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from harness.core.slots import NORM, Norm


@NORM.register("rms_norm")
class RMSNorm(Norm):
    """`weight * x / sqrt(mean(x**2) + eps)`, normalised in fp32 and cast back before the weight.

    Options:
        eps: Added to the mean square, > 0.

    Source:
        Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", arXiv:1910.07467; the
        order of cast and weight is that of transformers' Qwen3RMSNorm.
    """

    def __init__(self, width: int, *, eps: Annotated[float, Field(gt=0)] = 1e-6) -> None:
        super().__init__(width)
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * y.to(x.dtype)
