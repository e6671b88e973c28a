"""Orthogonalise matrices by products alone, and say what that costs."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

# s -> A s + B s^3 + C s^5, again and again: steep at 0, and 1 stays near 1
A, B, C = 3.4445, -4.7750, 2.0315
SMALLEST_NORM = 1e-7  # a matrix of zeros stays one


def orthogonalize(
    x: Float[Tensor, "E O I"], n_steps: int, dtype: torch.dtype
) -> Float[Tensor, "E O I"]:
    """Move the singular values of each matrix near 1, and leave its singular vectors.

    Args:
        x: A stack of matrices.
        n_steps: Of the iteration. After five, singular values above a hundredth of the Frobenius
            norm are between 0.68 and 1.14; smaller ones have been multiplied by up to 485.
        dtype: That products are computed in, and that the result has.

    Source:
        Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks",
        kellerjordan.github.io/posts/muon; as in `torch.optim.Muon`, where only one matrix at a
        time and only bf16 is possible.
    """
    if x.shape[1] > x.shape[2]:  # products of rows with rows are those of the shorter side
        return orthogonalize(x.mT, n_steps, dtype).mT
    x = x.to(dtype)
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=SMALLEST_NORM)
    for _ in range(n_steps):
        squares = x @ x.mT
        polynomial = torch.baddbmm(squares, squares, squares, beta=B, alpha=C)
        x = torch.baddbmm(x, polynomial, x, beta=A)
    return x


def orthogonalize_flops(shape: Sequence[int], n_steps: int) -> int:
    """Return the FLOPs of the products above, for a stack of this shape."""
    n_matrices, *sides = shape
    short, long = sorted(sides)
    return n_matrices * n_steps * (4 * short**2 * long + 2 * short**3)
