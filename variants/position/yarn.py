"""Rotary positions stretched to longer contexts by YaRN."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import POSITION, Position
from variants.position._rotation import angles, check_pairs, cos_sin, rates, turn


@POSITION.register("yarn")
class YarnPosition(Position):
    """`rope` with slow pairs slowed down by `factor`, fast ones left, and a ramp between them.

    A pair is fast if it turns more than `beta_fast` times in the original context, and slow below
    `beta_slow` times. Queries and keys grow by the attention factor, so that attention over more
    keys stays as sharp.

    Options:
        theta: Base of the wavelengths, > 1.
        factor: How many times longer the context becomes, >= 1.
        original_max_seq_len: Tokens of the context that is stretched, >= 1. Left out:
            `max_seq_len / factor`.
        beta_fast: Turns from which a pair is left alone, > `beta_slow`.
        beta_slow: Turns up to which a pair is slowed down in full, > 0.
        attention_factor: Of queries and of keys, > 0. Left out: `0.1 ln(factor) + 1`.

    Source:
        Peng et al. 2023, "YaRN", arXiv:2309.00071, sections 3.2 to 3.4; the ends of the ramp are
        rounded outwards to whole pairs, as in the authors' code and in transformers.
    """

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        width: int,
        *,
        theta: Annotated[float, Field(gt=1)] = 1e6,
        factor: Annotated[float, Field(ge=1)] = 4.0,
        original_max_seq_len: Annotated[int, Field(ge=1)] | None = None,
        beta_fast: Annotated[float, Field(gt=0)] = 32.0,
        beta_slow: Annotated[float, Field(gt=0)] = 1.0,
        attention_factor: Annotated[float, Field(gt=0)] | None = None,
    ) -> None:
        super().__init__(dims, layer_idx, width)
        check_pairs(width)
        if beta_fast <= beta_slow:
            above = f"beta_fast ({beta_fast}) must be above beta_slow ({beta_slow})"
            raise ValueError(f"{above}: fast pairs turn more often")
        self.theta, self.factor, self.width = theta, factor, width
        self.original = original_max_seq_len or _unstretched(dims, factor)
        self.beta_fast, self.beta_slow = beta_fast, beta_slow
        self.attention_factor = attention_factor or 0.1 * math.log(factor) + 1

    @classmethod
    def complete(cls, options: Mapping[str, Any], dims: Dims) -> dict[str, Any]:
        """Write out the length that is stretched, so that equal models are equal specs."""
        original = options["original_max_seq_len"] or _unstretched(dims, options["factor"])
        return {**options, "original_max_seq_len": original}

    def rotate(
        self, q: Float[Tensor, "B T H C"], k: Float[Tensor, "B T K C"], context: Context
    ) -> tuple[Float[Tensor, "B T H C"], Float[Tensor, "B T K C"]]:
        about = (self.theta, self.factor, self.original, self.beta_fast, self.beta_slow)
        key = ("yarn", self.width, *about, self.attention_factor, q.dtype)
        cos, sin = context.once(key, lambda: self._cos_sin(context, q.dtype))
        return turn(q, cos, sin), turn(k, cos, sin)

    def _cos_sin(self, context: Context, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        cos, sin = cos_sin(angles(context, self._rates(context.positions.device)), torch.float32)
        return (cos * self.attention_factor).to(dtype), (sin * self.attention_factor).to(dtype)

    def _rates(self, device: torch.device) -> Float[Tensor, "P"]:
        fast = rates(self.theta, self.width, device)
        first = max(math.floor(self._pair_turning(self.beta_fast)), 0)
        last = min(math.ceil(self._pair_turning(self.beta_slow)), self.width - 1)
        pairs = torch.arange(self.width // 2, device=device, dtype=torch.float32)
        # a ramp of no length is a step
        slowed = ((pairs - first) / max(last - first, 0.001)).clamp(0, 1)
        return fast / self.factor * slowed + fast * (1 - slowed)

    def _pair_turning(self, n_turns: float) -> float:
        """Return which pair, as a real number, turns so often in the original context."""
        wavelength = self.original / n_turns
        return self.width / 2 * math.log(wavelength / (2 * math.pi)) / math.log(self.theta)


def _unstretched(dims: Dims, factor: float) -> int:
    return max(int(dims.max_seq_len / factor), 1)
