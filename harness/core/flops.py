"""Count the FLOPs of whatever runs, and refuse to count a matrix product as nothing."""

import math
import re
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import harness.core.grouped  # noqa: F401 - defines two of the operations below

aten = torch.ops.aten

# Operations whose names say that they multiply matrices. One that has no formula is an error:
# a silent zero would make its component look free.
_MATMUL_LIKE = re.compile(
    r"mm|matmul|attention|conv(?!ert)|linear|bilinear|einsum|cdist|mv|dot|solve"
)
_NOT_MATMUL = re.compile(r"comm|command|dropout|prepack|quantize_|_to_|pin_memory|lift")


class UncountedOperation(TypeError):
    """An operation that multiplies matrices and has no FLOP formula: a fault of its component."""


def _attention_forward(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """Scores and mix, over the full square also where it is causal; torch's counter agrees."""
    *batch, n_queries, width = query
    n_keys, value_width = key[-2], value[-1]
    rows = n_queries * n_keys
    for size in batch:
        rows *= size
    return 2 * rows * (width + value_width)


def _attention_backward(_grad: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """Twice the forward pass: what is recomputed to save memory is not counted."""
    return 2 * _attention_forward(query, key, value)


def _matrix_vector(matrix: Any, _vector: Any, *_: Any, **__: Any) -> int:
    return 2 * matrix[0] * matrix[1]


def _int8_matrix(a: Any, b: Any, *_: Any, **__: Any) -> int:
    return 2 * a[0] * a[1] * b[0]


def _grouped_mm(a: Any, b: Any, *_: Any, **__: Any) -> int:
    """Each row meets one matrix: (N, K) by one of (E, K, M)."""
    return 2 * a[-2] * a[-1] * b[-1]


def _solve_triangular(matrix: Any, right: Any, *_: Any, **__: Any) -> int:
    """Half of a square matrix meets each column."""
    return matrix[-1] * math.prod(right)


_FORMULAS = {
    aten._scaled_dot_product_flash_attention_for_cpu: _attention_forward,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
    aten._scaled_dot_product_fused_attention_overrideable: _attention_forward,
    aten._scaled_dot_product_fused_attention_overrideable_backward: _attention_backward,
    aten.addmm_: lambda _, a, b, **__: 2 * a[0] * a[1] * b[1],
    aten.baddbmm_: lambda _, a, b, **__: 2 * a[0] * a[1] * a[2] * b[2],
    aten.mv: _matrix_vector,
    aten._weight_int8pack_mm: _int8_matrix,
    aten._int_mm: lambda a, b, *_, **__: 2 * a[0] * a[1] * b[1],
    aten._grouped_mm: _grouped_mm,
    aten.linalg_solve_triangular: _solve_triangular,
    torch.ops.ablate.grouped_mm: _grouped_mm,
    torch.ops.ablate.grouped_outer_mm: lambda a, b, *_, **__: 2 * a[0] * a[1] * b[1],
    aten.dot: lambda a, _b, *_, **__: 2 * a[0],
}


class FlopCounter(FlopCounterMode):
    """Count multiply-adds as two FLOPs, on any device, the meta device included.

    Convention: matrix products only; causal attention counts the full square.

    Raises:
        UncountedOperation: an operation multiplies matrices and has no formula.
    """

    def __init__(self) -> None:
        super().__init__(display=False, custom_mapping=_FORMULAS)

    def _count_flops(self, func_packet: Any, out: Any, args: Any, kwargs: Any) -> Any:
        name = str(func_packet).rsplit(".", 1)[-1]
        if func_packet not in self.flop_registry and _multiplies(name, args):
            raise UncountedOperation(f"{func_packet} has no FLOP formula in harness.core.flops")
        return super()._count_flops(func_packet, out, args, kwargs)  # type: ignore[no-untyped-call]

    def by_module(self) -> dict[str, int]:
        """Return the FLOPs inside each module, by its name in the module tree (`Global`: all)."""
        return {name: sum(counts.values()) for name, counts in self.get_flop_counts().items()}


def _multiplies(name: str, args: Any) -> bool:
    tensors = [a for a in args if isinstance(a, Tensor) and a.ndim > 0]
    return bool(_MATMUL_LIKE.search(name)) and not _NOT_MATMUL.search(name) and len(tensors) > 1
