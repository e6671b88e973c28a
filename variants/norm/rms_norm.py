"""Root-mean-square normalisation: the Qwen3 baseline."""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from harness.core.slots import NORM, Norm


@NORM.register("rms_norm")
class RMSNorm(Norm):
    """`weight * x / sqrt(mean(x**2) + eps)`, normalised in fp32.

    Options:
        eps: Added to the mean square, > 0.
        bias: Whether there is a learned shift.
        cast: When numbers return to the type of `x`: `before_weight` (Qwen3) or `after_weight`,
            when weight and shift are applied in fp32. In fp32 the two are equal.

    Source:
        Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", arXiv:1910.07467; the
        order of cast and weight is that of transformers' Qwen3RMSNorm.
    """

    def __init__(
        self,
        width: int,
        *,
        eps: Annotated[float, Field(gt=0)] = 1e-6,
        bias: bool = False,
        cast: Literal["before_weight", "after_weight"] = "before_weight",
    ) -> None:
        super().__init__(width)
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None
        self.eps, self.cast = eps, cast

    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)
        if self.cast == "after_weight":
            return self._scale(y).to(x.dtype)
        return self._scale(y.to(x.dtype))

    def _scale(self, y: Tensor) -> Tensor:
        return self.weight * y if self.bias is None else self.weight * y + self.bias
