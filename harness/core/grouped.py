"""Rows times the matrix of their group: what every mixture of experts shares."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class Sorted(NamedTuple):
    """The rows of N items, each in k groups, when they stand group by group."""

    item: Int[Tensor, "R"]  # of which item each row is a copy
    place: Int[Tensor, "N k"]  # at which row the copies of each item stand
    ends: Int[Tensor, "E"]  # where the rows of each group end


def sort_by_group(groups: Int[Tensor, "N k"], n_groups: int) -> Sorted:
    """Put copies of items in the order of their groups; inside a group they keep their own."""
    ordered, order = groups.flatten().sort(stable=True)
    rows = torch.arange(len(order), device=order.device)
    place = torch.empty_like(order).scatter_(0, order, rows)
    each = torch.arange(n_groups, device=order.device)
    ends = torch.searchsorted(ordered, each, right=True)
    return Sorted(order // groups.shape[1], place.view_as(groups), ends)


class Groups:
    """Tells the grouped layers of a module, while it runs, where the groups of its rows end."""

    def __init__(self) -> None:
        self.ends: Int[Tensor, "E"] | None = None  # noqa: UP037

    @contextmanager
    def ending(self, ends: Int[Tensor, "E"]) -> Iterator[None]:
        """Let rows be in these groups for a while."""
        self.ends = ends
        try:
            yield
        finally:
            self.ends = None


class GroupedLinear(nn.Module):
    """`x @ weight[group].T`: a linear layer without bias that has a matrix for each group.

    The last axis but one of `x` holds rows in the order of their groups.
    """

    def __init__(self, groups: Groups, n_groups: int, d_in: int, d_out: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(n_groups, d_out, d_in))

    def forward(self, x: Float[Tensor, "1 R I"]) -> Float[Tensor, "1 R O"]:
        """Return the rows, each multiplied by the matrix of its group."""
        assert self.groups.ends is not None, "only the module that sorts the rows may call this"
        return grouped_mm(x[0], self.weight.transpose(1, 2), self.groups.ends)[None]


def group_linears(module: nn.Module, n_groups: int) -> Groups:
    """Give every linear layer of a module, in place, a matrix for each group.

    Raises:
        ValueError: the module has parameters or buffers of another kind: they cannot be grouped.
    """
    groups, made = Groups(), set[str]()
    for name, layer in list(module.named_modules()):
        if isinstance(layer, nn.Linear) and layer.bias is None:
            grouped = GroupedLinear(groups, n_groups, layer.in_features, layer.out_features)
            module.set_submodule(name, grouped)
            made.add(f"{name}.weight")
    state = [*module.named_parameters(), *module.named_buffers()]
    if others := [name for name, _ in state if name not in made]:
        can = "only linear layers without bias can be grouped"
        raise ValueError(f"{can}, but {type(module).__name__} has {others}")
    return groups


def grouped_mm(
    x: Float[Tensor, "R I"], weight: Float[Tensor, "E I O"], ends: Int[Tensor, "E"]
) -> Float[Tensor, "R O"]:
    """Multiply rows `ends[e - 1] : ends[e]` of `x` by `weight[e]`, in autocast's type if any."""
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        x, weight = x.to(dtype), weight.to(dtype)
    return _mm(x, weight, ends)


# Operations of our own: torch's grouped product of fp32 matrices cannot be compiled and has no
# shapes on the meta device, takes rows of whole 16 bytes only, and autocast does not know it.
@torch.library.custom_op("ablate::grouped_mm", mutates_args=())
def _mm(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    if _has_kernel(x, weight):
        return F.grouped_mm(x, weight, offs=ends.int())
    out = x.new_empty(len(x), weight.shape[2])
    for rows, matrix in zip(_slices(ends, len(x)), weight, strict=True):
        torch.mm(x[rows], matrix, out=out[rows])
    return out


@torch.library.custom_op("ablate::grouped_outer_mm", mutates_args=())
def _outer(x: Tensor, y: Tensor, ends: Tensor) -> Tensor:
    if _has_kernel(x, y):
        return F.grouped_mm(x.T, y, offs=ends.int())
    out = x.new_empty(len(ends), x.shape[1], y.shape[1])
    for rows, matrix in zip(_slices(ends, len(x)), out, strict=True):
        torch.mm(x[rows].T, y[rows], out=matrix)
    return out


def _has_kernel(x: Tensor, y: Tensor) -> bool:
    """Whether torch has one kernel for all groups, which asks the device for no sizes."""
    whole = x.shape[-1] % 8 == 0 and y.shape[-1] % 8 == 0  # 16 bytes
    able = x.is_cuda and torch.cuda.get_device_capability(x.device) >= (8, 0)
    return able and x.dtype == torch.bfloat16 and whole


def _slices(ends: Tensor, n_rows: int) -> list[slice]:
    stops = ends.tolist()
    assert stops[-1] == n_rows, "every row has a group"
    return [slice(*pair) for pair in zip([0, *stops[:-1]], stops, strict=True)]


@_mm.register_fake
def _(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    return x.new_empty(len(x), weight.shape[2])


@_outer.register_fake
def _(x: Tensor, y: Tensor, ends: Tensor) -> Tensor:
    return x.new_empty(len(ends), x.shape[1], y.shape[1])


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    x, weight, ends = ctx.saved_tensors
    wants_x, wants_weight, _ = ctx.needs_input_grad
    grad = grad.contiguous()
    grad_x = _mm(grad, weight.transpose(1, 2), ends) if wants_x else None
    # in the layout of `GroupedLinear.weight`, which `weight` is a view of: no copy follows
    grad_weight = _outer(grad, x, ends).transpose(1, 2) if wants_weight else None
    return grad_x, grad_weight, None


_mm.register_autograd(_backward, setup_context=_keep)
