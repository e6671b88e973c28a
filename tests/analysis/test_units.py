"""Numbers as people write them."""

import pytest

from harness.analysis.units import count, decimals_for, percent, size


@pytest.mark.parametrize(
    ("number", "written"),
    [(850_000, "850k"), (1_312_000, "1.31M"), (999_960, "1M"), (7, "7"), (0, "0"), (None, "-")],
)
def test_counts_have_three_digits_at_most(number, written):
    assert count(number) == written


@pytest.mark.parametrize(("number", "written"), [(12_400, "12.4 kB"), (512, "512 B"), (None, "-")])
def test_sizes_are_in_powers_of_1000(number, written):
    assert size(number) == written


def test_percentages_keep_what_matters():
    assert (percent(0.95), percent(0.995)) == ("95 %", "99.5 %")


@pytest.mark.parametrize(
    ("low", "high", "decimals"),
    [(-0.0031, 0.0066, 4), (2.0, 12.0, 1), (-300.0, 300.0, 0), (0.00004, 0.02, 5), (0.0, 0.0, 0)],
)
def test_an_interval_shows_two_digits_and_never_a_false_zero(low, high, decimals):
    assert decimals_for(low, high) == decimals
