"""Layer normalisation with mean, scale and shift."""

from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from harness.core.slots import NORM, Norm


@NORM.register("layer_norm")
class LayerNorm(Norm):
    """`weight * (x - mean(x)) / sqrt(var(x) + eps) + bias`.

    Options:
        eps: Added to the variance, > 0.
        bias: Whether there is a learned shift.

    Source:
        Ba, Kiros and Hinton 2016, "Layer Normalization", arXiv:1607.06450.
    """

    def __init__(
        self, width: int, *, eps: Annotated[float, Field(gt=0)] = 1e-6, bias: bool = True
    ) -> None:
        super().__init__(width)
        self.norm = nn.LayerNorm(width, eps=eps, bias=bias)

    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        return self.norm(x)
