"""Rotary positions, half-split: the Qwen3 baseline."""

from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import POSITION, Position
from variants.position._rotation import check_pairs, rope_table, turn


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
        check_pairs(width)
        self.theta, self.width = theta, width

    def rotate(
        self, q: Float[Tensor, "B T H C"], k: Float[Tensor, "B T K C"], context: Context
    ) -> tuple[Float[Tensor, "B T H C"], Float[Tensor, "B T K C"]]:
        cos, sin = rope_table(context, self.theta, self.width, q.dtype)
        return turn(q, cos, sin), turn(k, cos, sin)
