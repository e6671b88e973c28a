"""Rotary positions, half-split: the Qwen3 baseline."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import POSITION, Position


@POSITION.register("rope")
class RotaryPosition(Position):
    """Turn channel pairs (i, i + C/2) by the angle `position * theta ** (-2i / C)`.

    Angles are computed in fp32 and once per forward pass for all layers that agree on `theta` and
    on the width; nothing is stored.

    Options:
        theta: Base of the wavelengths, > 1. Qwen3 uses 1e6; short contexts learn as well with 1e4.

    Source:
        Su et al. 2021, "RoFormer", arXiv:2104.09864, section 3.2.2, in the half-split layout of
        transformers' Qwen3 (the paper pairs neighbours; the two differ by a permutation).
    """

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        width: int,
        *,
        theta: Annotated[float, Field(gt=1)] = 1e6,
    ) -> None:
        super().__init__(dims, layer_idx, width)
        if width % 2:
            raise ValueError(f"rotates pairs of channels, so head_dim must be even, but is {width}")
        self.theta, self.width = theta, width

    def rotate(
        self, q: Float[Tensor, "B T H C"], k: Float[Tensor, "B T K C"], context: Context
    ) -> tuple[Float[Tensor, "B T H C"], Float[Tensor, "B T K C"]]:
        key = ("rope", self.theta, self.width, q.dtype)
        cos, sin = context.once(key, lambda: self._cos_sin(context, q.dtype))
        return _turn(q, cos, sin), _turn(k, cos, sin)

    def _cos_sin(self, context: Context, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        device = context.positions.device
        exponents = torch.arange(0, self.width, 2, device=device, dtype=torch.float32) / self.width
        angles = context.positions[..., None].float() * self.theta**-exponents  # B T C/2
        angles = torch.cat((angles, angles), dim=-1)[:, :, None]  # B T 1 C
        return angles.cos().to(dtype), angles.sin().to(dtype)


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin
