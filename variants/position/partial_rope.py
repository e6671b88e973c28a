"""Rotary positions on a share of the channels."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import POSITION, Position
from variants.position._rotation import rope_table, turn


@POSITION.register("partial_rope")
class PartialRotaryPosition(Position):
    """Turn the first `share` of a head's channels as `rope` does; the others know no position.

    The wavelengths are those of a head as wide as the turned part.

    Options:
        share: Of the channels, in (0, 1]; must leave an even number to turn. 1 is `rope`.
        theta: Base of the wavelengths, > 1. GPT-NeoX uses 1e4, Qwen3-Next 1e7.

    Source:
        Black et al. 2022, "GPT-NeoX-20B", arXiv:2204.06745, section 2.1; Qwen3-Next also turns a
        quarter.
    """

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        width: int,
        *,
        share: Annotated[float, Field(gt=0, le=1)] = 0.25,
        theta: Annotated[float, Field(gt=1)] = 1e4,
    ) -> None:
        super().__init__(dims, layer_idx, width)
        self.theta, self.n_turned = theta, round(share * width)
        if self.n_turned % 2 or not self.n_turned:
            turned = f"a share of {share} of {width} channels is {self.n_turned}"
            raise ValueError(f"{turned}, but pairs need an even number above 0")

    def rotate(
        self, q: Float[Tensor, "B T H C"], k: Float[Tensor, "B T K C"], context: Context
    ) -> tuple[Float[Tensor, "B T H C"], Float[Tensor, "B T K C"]]:
        cos, sin = rope_table(context, self.theta, self.n_turned, q.dtype)
        return self._turn(q, cos, sin), self._turn(k, cos, sin)

    def _turn(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        turned, kept = x[..., : self.n_turned], x[..., self.n_turned :]
        return torch.cat((turn(turned, cos, sin), kept), dim=-1)
