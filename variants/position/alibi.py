"""Attention with linear biases: scores fall with distance, and nothing is rotated."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import POSITION, Position


@POSITION.register("alibi")
class LinearBias(Position):
    """Add `-slope * (query position - key position)` to the scores, with a slope for each head.

    The slopes of H heads are `2 ** (-8 h / H)` for h = 1..H. If H is no power of two, the heads
    beyond the last power take every other slope of twice that power.

    Source:
        Press, Smith and Lewis 2021, "Train Short, Test Long", arXiv:2108.12409, section 3; the
        slopes of other head counts as in the authors' code.
    """

    provides = frozenset({"attention_bias"})

    def __init__(self, dims: Dims, layer_idx: int, width: int) -> None:
        super().__init__(dims, layer_idx, width)
        self.n_heads = dims.n_heads

    def bias(
        self, context: Context, key_positions: Int[Tensor, "#B S"] | None
    ) -> Float[Tensor, "#B H T S"]:
        if key_positions is None:
            key_positions = context.positions
        # Layers are handed the same positions; they are kept beside the bias so that no other
        # tensor can come to have their id.
        key = ("alibi", self.n_heads, id(key_positions))
        bias, _ = context.once(key, lambda: (self._bias(context, key_positions), key_positions))
        return bias

    def _bias(self, context: Context, key_positions: Tensor) -> Tensor:
        positions = context.positions
        if context.aligned:  # all rows are alike
            positions, key_positions = positions[:1], key_positions[:1]
        distances = positions[:, None, :, None] - key_positions[:, None, None, :]
        return -slopes(self.n_heads, distances.device)[:, None, None] * distances  # B H T S


def slopes(n_heads: int, device: torch.device) -> Float[Tensor, "H"]:
    """Return how much a head's scores fall with each token of distance."""
    power = 1 << (n_heads.bit_length() - 1)  # the largest power of two within n_heads
    regular = torch.arange(1, power + 1, device=device) / power
    between = (torch.arange(n_heads - power, device=device) + 0.5) / power
    return 2.0 ** (-8 * torch.cat((regular, between)))
