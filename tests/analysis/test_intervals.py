"""Intervals cover what they say, alone and together, and power is what it is said to be."""

import numpy as np
import pytest
from scipy import stats

from harness.analysis.intervals import (
    correlation,
    estimate,
    seeds_needed,
    sidak_level,
    smallest_detectable,
)


def _holds(values, level, truth=0.0):
    found = estimate(values, level)
    return found.low <= truth <= found.high


def test_the_interval_is_that_of_students_t():
    values = [1.2, 0.7, 1.9, 1.1, 0.4]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    found = estimate(values, 0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert (found.n, found.mean) == (5, pytest.approx(np.mean(values)))


def test_the_interval_covers_at_its_level():
    rng = np.random.default_rng(1)
    covered = np.mean([_holds(rng.normal(3, 2, 5), 0.95, 3.0) for _ in range(4000)])
    assert 0.94 < covered < 0.96


@pytest.mark.parametrize("noise", [(1, 1, 1, 1, 1), (1, 0.1, 1, 5, 10)])
def test_contrasts_with_a_shared_baseline_are_covered_together(noise):
    """Also when the arms are not equally noisy; without correction this is about 0.83."""
    rng = np.random.default_rng(2)
    level = sidak_level(0.95, 4)
    covered = 0
    for _ in range(3000):
        baseline, *arms = rng.normal(size=(5, 6)) * np.array(noise)[:, None]
        covered += all(_holds(arm - baseline, level) for arm in arms)
    assert 0.935 < covered / 3000 < 0.985


def test_independent_contrasts_are_covered_exactly():
    rng = np.random.default_rng(3)
    level = sidak_level(0.9, 3)
    together = [all(_holds(v, level) for v in rng.normal(size=(3, 5))) for _ in range(4000)]
    assert np.mean(together) == pytest.approx(0.9, abs=0.015)


@pytest.mark.parametrize(("n", "effect"), [(2, 11.5), (3, 3.27), (4, 2.13), (5, 1.68), (10, 1.0)])
def test_the_smallest_detectable_difference_is_the_tabulated_one(n, effect):
    assert smallest_detectable(n, 1.0, 0.95) == pytest.approx(effect, rel=0.01)
    assert smallest_detectable(n, 2.5, 0.95) == pytest.approx(2.5 * effect, rel=0.01)


def test_a_detectable_difference_is_detected_with_power_0_8():
    rng = np.random.default_rng(4)
    effect = smallest_detectable(5, 2.0, 0.98)
    found = np.mean([not _holds(rng.normal(effect, 2.0, 5), 0.98) for _ in range(4000)])
    assert found == pytest.approx(0.8, abs=0.02)


def test_the_seeds_needed_are_the_fewest_that_detect():
    n = seeds_needed(1.0, 1.5, 0.95)
    assert smallest_detectable(n, 1.5, 0.95) <= 1.0 < smallest_detectable(n - 1, 1.5, 0.95)
    assert seeds_needed(-1.0, 1.5, 0.95) == n
    assert seeds_needed(100.0, 1.0, 0.95) == 4
    assert seeds_needed(0.01, 1.0, 0.95) is seeds_needed(0.0, 0.0, 0.95) is None


def test_too_few_values_leave_things_undefined():
    assert (estimate([], 0.95).n, estimate([], 0.95).mean) == (0, None)
    assert (estimate([1.0], 0.95).mean, estimate([1.0], 0.95).low) == (1.0, None)
    assert smallest_detectable(1, 1.0, 0.95) is None


def test_constancy_is_seen_through_rounding():
    assert estimate([0.1 + 0.2 - 0.3 + 1, 1.0, 1.0], 0.95).is_constant
    assert not estimate([1.0, 1.0 + 1e-9, 1.0], 0.95).is_constant


def test_the_correlation_is_pearsons_where_it_is_defined():
    a, b = [1.0, 2.0, 4.0, 3.0], [2.0, 3.0, 3.5, 4.5]
    assert correlation(a, b) == pytest.approx(stats.pearsonr(a, b).statistic)
    assert correlation(a[:2], b[:2]) is correlation([1.0] * 4, b) is None
