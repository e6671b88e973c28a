"""The 8-bit grid: its points, its errors, and gradients that pass it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.core.quantize import dequantize, fake_quantize, fitting_group, quantize

OUTLIERS = [10.5, -8.2, 9.1, -7.8, 0.001, -0.002, 0.0015, -0.0008]


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def round_trip(x, group_size):
    return dequantize(*quantize(x, group_size))


@pytest.mark.row("R0-17")
def test_a_group_by_hand():
    values, scale = quantize(torch.tensor([2, -1.5, 0.8, -0.3]), 4)
    assert values.dtype == torch.int8 and scale.dtype == torch.float32
    assert values.tolist() == [127, -95, 51, -19]
    assert scale.tolist() == pytest.approx([2 / 127])
    restored = dequantize(values, scale)
    assert restored.tolist() == pytest.approx([2, -95 * 2 / 127, 51 * 2 / 127, -19 * 2 / 127])


@pytest.mark.row("R0-17")
def test_halves_are_rounded_to_even():
    x = torch.tensor([127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.0])
    assert quantize(x, 8)[0].tolist() == [127, 0, 2, 2, 0, -2, -2, 3]


@pytest.mark.row("R0-17")
@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=8, max_size=8))
def test_what_is_restored_is_off_by_half_a_step_at_most(numbers):
    x = torch.tensor(numbers)
    values, scale = quantize(x, 4)
    assert values.abs().max() <= 127
    step = scale.repeat_interleave(4)
    error = (dequantize(values, scale) - x).abs()
    assert (error <= step / 2 + 1e-6 * x.abs() + 1e-42).all()


@pytest.mark.row("R0-17")
def test_a_group_of_zeros_has_the_scale_one():
    values, scale = quantize(torch.tensor([0.0] * 4 + [1e-45] * 4), 4)
    assert scale.tolist() == [1.0, 1.0]  # a scale that underflows would divide by zero
    assert not values.any()


@pytest.mark.row("R0-18")
def test_an_outlier_coarsens_its_own_group_alone():
    x = torch.tensor(OUTLIERS)
    by_four, whole = round_trip(x, 4), round_trip(x, 8)
    assert (by_four[4:] - x[4:]).abs().max() <= 0.002 / 127 / 2 + 1e-9
    assert not whole[4:].any()
    assert torch.equal(by_four[:4], whole[:4])


@pytest.mark.row("R0-18")
@pytest.mark.parametrize(
    ("width", "group_size", "size"),
    [
        (128, 64, 64),
        (48, 64, 48),
        (96, 64, 32),
        (40, 64, 40),
        (200, 64, 8),
        (2, 64, 2),
        (84, 48, 12),
    ],
)
def test_a_group_size_is_halved_until_it_divides(width, group_size, size):
    found = fitting_group(width, group_size)
    assert (width % found, found) == (0, size)


@pytest.mark.row("R0-18")
@pytest.mark.parametrize(("width", "group_size"), [(127, 64), (130, 64), (10, 8)])
def test_a_width_that_no_group_divides_is_refused(width, group_size):
    with pytest.raises(ValueError, match=rf"group_size \({group_size}\).* width of {width}"):
        fitting_group(width, group_size)


@pytest.mark.row("R0-19")
@pytest.mark.parametrize(
    ("group_size", "error"), [(32, 0.0053), (64, 0.0060), (128, 0.0065), (256, 0.0069)]
)
def test_the_error_of_gaussian_weights(group_size, error):
    w = 0.02 * normal(512, 1024)
    relative = (round_trip(w, group_size) - w).norm() / w.norm()
    assert relative.item() == pytest.approx(error, abs=0.0005)


def test_leading_axes_are_kept():
    w = normal(3, 5, 16)
    values, scale = quantize(w, 8)
    assert (values.shape, scale.shape) == ((3, 5, 16), (3, 5, 2))
    assert torch.equal(dequantize(values, scale)[2, 4], round_trip(w[2, 4], 8))


def test_what_stands_on_its_grid_stays_there():
    w = round_trip(normal(8, 64), 16)
    assert (round_trip(w, 16) - w).abs().max() <= 1e-6


def test_gradients_pass_as_if_nothing_had_been_moved():
    w, x = normal(6, 32).requires_grad_(), normal(4, 32, seed=1)
    moved = round_trip(w.detach(), 16).requires_grad_()
    (x @ fake_quantize(w, 16).T).square().sum().backward()
    (x @ moved.T).square().sum().backward()
    assert torch.equal(fake_quantize(w, 16), moved)
    assert torch.equal(w.grad, moved.grad)


def test_other_types_come_back_as_they_were():
    w = normal(4, 32).bfloat16()
    assert quantize(w, 16)[1].dtype == torch.float32
    assert fake_quantize(w, 16).dtype == torch.bfloat16
