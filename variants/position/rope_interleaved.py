"""Rotary positions of neighbouring channels: RoFormer's own layout."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import POSITION, Position
from variants.position._rotation import angles, check_pairs, rates


@POSITION.register("rope_interleaved")
class InterleavedRotaryPosition(Position):
    """Turn channel pairs (2i, 2i + 1) by the angle `position * theta ** (-2i / C)`.

    The same function of its weights as `rope` but for the order of channels: what differs is
    which weights a checkpoint of one layout or the other holds.

    Options:
        theta: Base of the wavelengths, > 1. RoFormer and Llama use 1e4, Llama 3 uses 5e5.

    Source:
        Su et al. 2021, "RoFormer", arXiv:2104.09864, section 3.2.2; so in Llama's own code
        (Touvron et al. 2023, arXiv:2302.13971), which multiplies complex numbers instead.
    """

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        width: int,
        *,
        theta: Annotated[float, Field(gt=1)] = 1e4,
    ) -> None:
        super().__init__(dims, layer_idx, width)
        check_pairs(width)
        self.theta, self.width = theta, width

    def rotate(
        self, q: Float[Tensor, "B T H C"], k: Float[Tensor, "B T K C"], context: Context
    ) -> tuple[Float[Tensor, "B T H C"], Float[Tensor, "B T K C"]]:
        key = ("rope_interleaved", self.theta, self.width, q.dtype)
        cos, sin = context.once(key, lambda: self._cos_sin(context, q.dtype))
        return _turn(q, cos, sin), _turn(k, cos, sin)

    def _cos_sin(self, context: Context, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        turned = angles(context, rates(self.theta, self.width, context.positions.device))
        turned = turned.repeat_interleave(2, dim=-1)  # B T 1 C
        return turned.cos().to(dtype), turned.sin().to(dtype)


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    even, odd = x[..., ::2], x[..., 1::2]
    return x * cos + torch.stack((-odd, even), dim=-1).flatten(-2) * sin
