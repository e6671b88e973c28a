"""Axes: everything in view, at round places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.charts.axis import Axis

numbers = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False, width=32)


@given(st.lists(numbers, min_size=1, max_size=5))
def test_every_value_is_within_the_axis(values):
    axis = Axis.around(values, 10, 470)
    for value in values:
        assert 10 <= axis(value) <= 470


@given(st.lists(numbers, min_size=1, max_size=5), st.integers(3, 8))
def test_ticks_are_few_and_within_the_axis(values, most):
    axis = Axis.around(values, 0, 100)
    ticks = axis.ticks(most)
    assert 1 <= len(ticks) <= most + 1
    assert all(
        axis.low - 1e-6 * axis.step() <= tick <= axis.high + 1e-6 * axis.step() for tick in ticks
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, ["0", "2", "4", "6", "8", "10"]),
        (-0.011, 0.031, ["-0.01", "0", "0.01", "0.02", "0.03"]),
        (1.74, 1.80, ["1.74", "1.75", "1.76", "1.77", "1.78", "1.79", "1.80"]),
        (0, 1.4, ["0", "0.25", "0.50", "0.75", "1.00", "1.25"]),
        (0, 1.2e6, ["0", "200000", "400000", "600000", "800000", "1000000", "1200000"]),
    ],
)
def test_ticks_are_round_and_told_apart(low, high, expected):
    axis = Axis(low, high, 0, 100)
    assert [axis.form()(tick) for tick in axis.ticks()] == expected


def test_equal_factors_are_equally_far_apart_on_a_logarithmic_axis():
    axis = Axis.around([0.001, 0.002, 0.004], 0, 100, log=True)
    first, second, third = (axis(value) for value in (0.001, 0.002, 0.004))
    assert third - second == pytest.approx(second - first)
    assert 0 < first < third < 100


def test_ticks_with_signs_tell_more_from_less():
    assert [Axis(-1, 1, 0, 9).form(signed=True)(x) for x in (-0.5, 0.0, 0.5)] == [
        "-0.5",
        "0",
        "+0.5",
    ]
