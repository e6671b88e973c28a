"""A rotation by the head's index: a known fault, kept to show what it costs."""

import torch
from jaxtyping import Float
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import POSITION, Position
from variants.position._rotation import cos_sin, turn


@POSITION.register("head_rope")
class HeadIndexRotation(Position):
    """Turn channel pairs (i, i + C/2) by `-head * rate_i`: no token learns where it stands.

    The rates are `(1 / 10000) ** linspace(0, 1, C/4)`, and zero for the other C/4 pairs.

    Source:
        A 7-million-parameter Qwen3-style training script whose rotary module expects (B, T, H, C)
        and is handed (B, H, T, C); its rates and its sign are those of Jordan et al. 2024,
        "modded-nanogpt", where the angle is the position.
    """

    fault = (
        "The angle is the head's index instead of the token's position, a slip of the training "
        "script that it is taken from, so that only the causal mask tells of order."
    )

    def __init__(self, dims: Dims, layer_idx: int, width: int) -> None:
        super().__init__(dims, layer_idx, width)
        if width % 4:
            raise ValueError(
                f"turns half of the pairs of channels, so 4 must divide their number, {width}"
            )
        self.width = width

    def rotate(
        self, q: Float[Tensor, "B T H C"], k: Float[Tensor, "B T K C"], context: Context
    ) -> tuple[Float[Tensor, "B T H C"], Float[Tensor, "B T K C"]]:
        return self._turn_heads(q, context), self._turn_heads(k, context)

    def _turn_heads(self, x: Tensor, context: Context) -> Tensor:
        key = ("head_rope", self.width, x.shape[2], x.dtype)
        cos, sin = context.once(key, lambda: self._cos_sin(x))
        return turn(x, cos, -sin)

    def _cos_sin(self, x: Tensor) -> tuple[Tensor, Tensor]:
        turned = 1e-4 ** torch.linspace(0, 1, self.width // 4, device=x.device)
        heads = torch.arange(x.shape[2], device=x.device)
        return cos_sin(heads[:, None] * torch.cat((turned, torch.zeros_like(turned))), x.dtype)
