"""Symmetric 8-bit integers with a scale per group: to the grid, back, and to it while training."""

import torch
from jaxtyping import Float, Int8
from torch import Tensor

LARGEST = 127  # -128 is left out, so that the grid is symmetric
SMALLEST_GROUP = 4  # below it, scales take as many bytes as they save


def quantize(
    x: Float[Tensor, "*B W"], group_size: int
) -> tuple[Int8[Tensor, "*B W"], Float[Tensor, "*B G"]]:
    """Round each group of the last axis to whole multiples of its largest magnitude / 127.

    Halves are rounded to even. A group of zeros has the scale 1.
    """
    groups = x.float().unflatten(-1, (-1, group_size))  # *B G W/G
    scale = groups.abs().amax(-1, keepdim=True) / LARGEST
    scale = torch.where(scale > 0, scale, 1.0)
    values = (groups / scale).round().clamp(-LARGEST, LARGEST).to(torch.int8)
    return values.flatten(-2), scale.squeeze(-1)


def dequantize(values: Int8[Tensor, "*B W"], scale: Float[Tensor, "*B G"]) -> Float[Tensor, "*B W"]:
    """Return the numbers that stand on the grid, in the type of the scales."""
    groups = values.unflatten(-1, (scale.shape[-1], -1))
    return (groups * scale[..., None]).flatten(-2)


def fake_quantize(x: Float[Tensor, "*B W"], group_size: int) -> Float[Tensor, "*B W"]:
    """Move numbers to their grid; gradients pass as if they had not been moved.

    Source:
        Bengio, Léonard and Courville 2013, "Estimating or Propagating Gradients Through Stochastic
        Neurons", arXiv:1308.3432 (straight-through). No number is beyond the end of its grid, so
        no gradient is cut.
    """
    return _StraightThrough.apply(x, group_size)  # type: ignore[no-untyped-call]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, group_size: int) -> Tensor:  # type: ignore[no-untyped-def] # noqa: ANN001
        return dequantize(*quantize(x, group_size)).to(x.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def] # noqa: ANN001
        return grad, None


def fitting_group(width: int, group_size: int) -> int:
    """Halve the group size until it divides the width.

    Raises:
        ValueError: only a group of less than 4 would.
    """
    size = min(group_size, width)
    while width % size:
        size //= 2
    if size < min(SMALLEST_GROUP, width):
        halves = f"neither group_size ({group_size}) nor its halves down to {SMALLEST_GROUP}"
        raise ValueError(f"{halves} divide a matrix's width of {width}; int8_channel takes any")
    return size
