"""Rows times the matrix of their group, against a loop over the groups."""

import pytest
import torch
from torch import nn

from harness.core import grouped
from harness.core.flops import FlopCounter
from harness.core.grouped import GroupedLinear, group_linears, grouped_mm, sort_by_group

SIZES = {
    "all groups": [3, 1, 5, 2],
    "an empty one inside": [3, 0, 6, 2],
    "empty ends": [0, 4, 7, 0],
    "all rows in one": [0, 0, 11, 0],
    "no rows": [0, 0, 0, 0],
}


def inputs(sizes, d_in=6, d_out=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(sum(sizes), d_in, generator=generator, dtype=dtype).requires_grad_()
    weight = torch.randn(len(sizes), d_in, d_out, generator=generator, dtype=dtype).requires_grad_()
    return x, weight, torch.tensor(sizes).cumsum(0)


def by_loop(x, weight, sizes):
    return torch.cat([rows @ w for rows, w in zip(x.split(sizes), weight, strict=True)])


@pytest.fixture
def spoiled_memory(monkeypatch):
    """Fill what is allocated and not written with NaN."""
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)
    assert torch.empty(9).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.usefixtures("spoiled_memory")
def test_products_and_gradients_are_those_of_a_loop(sizes):
    x, weight, ends = inputs(sizes)
    expected, product = by_loop(x, weight, sizes), grouped_mm(x, weight, ends)
    torch.testing.assert_close(product, expected)
    direction = torch.randn_like(expected)
    ours = torch.autograd.grad(product, (x, weight), direction)
    theirs = torch.autograd.grad(expected, (x, weight), direction)
    for mine, exact in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, exact)
    empty = [group for group, size in enumerate(sizes) if size == 0]
    assert not ours[1][empty].any()


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_the_kernel_that_torch_has_for_bfloat16_is_given_the_same(sizes, monkeypatch):
    """It is used on GPUs alone, but there is one for processors too."""
    x, weight, ends = inputs(sizes, 16, 24, torch.bfloat16)
    looped = grouped_mm(x, weight, ends)
    direction = torch.randn_like(looped)
    by_us = [looped, *torch.autograd.grad(looped, (x, weight), direction)]
    calls = []
    monkeypatch.setattr(grouped, "_has_kernel", lambda *given: not calls.append(given))
    whole = grouped_mm(x, weight, ends)
    by_torch = [whole, *torch.autograd.grad(whole, (x, weight), direction)]
    assert len(calls) == 3
    for ours, theirs in zip(by_us, by_torch, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_only_what_wants_a_gradient_gets_one():
    x, weight, ends = inputs([3, 1])
    with FlopCounter() as counter:
        grouped_mm(x.detach(), weight, ends).sum().backward()
    assert x.grad is None and weight.grad is not None
    assert counter.get_total_flops() == 2 * 2 * 4 * 6 * 5


def test_torch_finds_nothing_wrong_with_the_operations():
    x, weight, ends = inputs([3, 0, 2])
    torch.library.opcheck(torch.ops.ablate.grouped_mm, (x, weight, ends))
    y = torch.randn(5, 4, dtype=x.dtype)
    torch.library.opcheck(torch.ops.ablate.grouped_outer_mm, (x.detach(), y, ends))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_each_row_is_priced_with_one_matrix_forwards_and_two_backwards(device):
    with torch.device(device):
        x, weight = torch.randn(11, 6), torch.randn(4, 6, 5)
        ends = torch.tensor([3, 4, 9, 11])
    x.requires_grad_(), weight.requires_grad_()
    with FlopCounter() as counter:
        product = grouped_mm(x, weight, ends)
        assert counter.get_total_flops() == 2 * 11 * 6 * 5
        product.sum().backward()
    assert counter.get_total_flops() == 3 * 2 * 11 * 6 * 5
    assert (product.shape, weight.grad.shape) == ((11, 5), weight.shape)


def test_autocast_chooses_the_type():
    x, weight, ends = inputs([3, 1], dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = grouped_mm(x, weight, ends)
    assert product.dtype == torch.bfloat16
    product.sum().backward()
    assert (x.grad.dtype, weight.grad.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(product.float(), by_loop(x, weight, [3, 1]), rtol=0.02, atol=0.05)


def test_rows_that_no_group_holds_are_noticed():
    x, weight, ends = inputs([3, 1])
    with pytest.raises(AssertionError, match="every row has a group"):
        grouped_mm(x, weight, ends - 1)


@pytest.mark.parametrize(
    ("n_items", "k", "n_groups"), [(1, 1, 1), (7, 2, 5), (40, 3, 4), (0, 2, 3)]
)
def test_rows_stand_by_group_and_are_found_again(n_items, k, n_groups):
    generator = torch.Generator().manual_seed(1)
    groups = torch.rand(n_items, n_groups, generator=generator).topk(k).indices
    order = sort_by_group(groups, n_groups)
    starts = [0, *order.ends[:-1].tolist()]
    for group, rows in enumerate(map(slice, starts, order.ends.tolist())):
        expected = [item for item in range(n_items) for g in groups[item].tolist() if g == group]
        assert order.item[rows].tolist() == expected
    for item in range(n_items):
        assert (order.item[order.place[item]] == item).all()
        of_place = torch.searchsorted(order.ends, order.place[item], right=True)
        assert of_place.tolist() == groups[item].tolist()


class Two(nn.Module):
    def __init__(self, bias=False):
        super().__init__()
        self.up = nn.Linear(6, 4, bias=bias)
        self.inner = nn.Sequential(nn.Linear(4, 6, bias=False))

    def forward(self, x):
        return self.inner(torch.relu(self.up(x)))


def test_a_module_runs_each_row_through_the_matrices_of_its_group():
    module = Two()
    names = [name for name, _ in module.named_parameters()]
    groups = group_linears(module, 3)
    assert [name for name, _ in module.named_parameters()] == names
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    assert module.inner[0].weight.shape == (3, 6, 4)
    x = torch.randn(7, 6)
    with groups.ending(torch.tensor([2, 2, 7])):
        out = module(x[None])[0]
    for rows, group in ((slice(0, 2), 0), (slice(2, 7), 2)):
        expected = torch.relu(x[rows] @ module.up.weight[group].T) @ module.inner[0].weight[group].T
        torch.testing.assert_close(out[rows], expected)


def test_outside_of_a_run_nobody_knows_the_groups():
    module = Two()
    groups = group_linears(module, 3)
    with pytest.raises(KeyError), groups.ending(torch.tensor([1, 1, 1])):
        raise KeyError
    with pytest.raises(AssertionError, match="only the module that sorts the rows"):
        module(torch.zeros(1, 1, 6))


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (Two(bias=True), r"\['up\.weight', 'up\.bias'\]"),
        (nn.Sequential(nn.LayerNorm(6)), r"\['0\.weight', '0\.bias'\]"),
        (nn.Sequential(Two(), nn.BatchNorm1d(6, affine=False)), r"'1\.running_mean'"),
    ],
)
def test_what_cannot_be_grouped_is_named(module, named):
    with pytest.raises(
        ValueError, match=f"can be grouped, but {type(module).__name__} has .*{named}"
    ):
        group_linears(module, 3)


def test_weights_are_laid_out_as_those_of_a_linear_layer():
    layer = GroupedLinear(group_linears(Two(), 2), 2, 3, 5)
    assert layer.weight.shape == (2, 5, 3)
