"""Turning pairs of channels by angles: what the rotary components share."""

import torch
from jaxtyping import Float
from torch import Tensor

from harness.core.context import Context


def check_pairs(width: int) -> None:
    """Refuse a width that cannot be split into pairs."""
    if width % 2:
        part = "head_dim, or the part of a head that is turned, must be even"
        raise ValueError(f"rotates pairs of channels, so {part}, but is {width}")


def rates(theta: float, width: int, device: torch.device) -> Float[Tensor, "P"]:
    """Return `theta ** (-2i / width)` for each pair i: radians a position, in fp32.

    Written as a quotient, as transformers does: far from the start, the last bit of a rate is seen.
    """
    exponents = torch.arange(0, width, 2, device=device, dtype=torch.float32) / width
    return 1.0 / theta**exponents


def angles(context: Context, rates: Float[Tensor, "P"]) -> Float[Tensor, "B T 1 P"]:
    """Return how far each pair is turned at each position, for all heads alike."""
    return context.positions[:, :, None, None].float() * rates


def cos_sin(
    angles: Float[Tensor, "*A P"], dtype: torch.dtype
) -> tuple[Float[Tensor, "*A C"], Float[Tensor, "*A C"]]:
    """Return the tables that `turn` takes, each pair's angle standing at both of its channels."""
    both = torch.cat((-angles, angles), dim=-1)
    return both.cos().to(dtype), both.sin().to(dtype)


def rope_table(
    context: Context, theta: float, width: int, dtype: torch.dtype
) -> tuple[Tensor, ...]:
    """Return `cos_sin` at the usual rates, made once for all layers that agree."""
    device = context.positions.device
    return context.once(
        ("rope", theta, width, dtype),
        lambda: cos_sin(angles(context, rates(theta, width, device)), dtype),
    )


def turn(x: Float[Tensor, "B T H C"], cos: Tensor, sin: Tensor) -> Float[Tensor, "B T H C"]:
    """Turn each pair (i, i + C/2) of channels.

    The sine of a pair's first channel is that of minus the angle: swapping is then one copy.
    """
    return x * cos + x.roll(x.shape[-1] // 2, dims=-1) * sin
