"""The interval of a mean is Student's, and covers at its level."""

import numpy as np
import pytest
from scipy import stats

from harness.analysis.statistics.intervals import correlation, estimate


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


def test_too_few_values_leave_things_undefined():
    assert (estimate([], 0.95).n, estimate([], 0.95).mean) == (0, None)
    assert (estimate([1.0], 0.95).mean, estimate([1.0], 0.95).low) == (1.0, None)


def test_the_correlation_is_pearsons_where_it_is_defined():
    a, b = [1.0, 2.0, 4.0, 3.0], [2.0, 3.0, 3.5, 4.5]
    assert correlation(a, b) == pytest.approx(stats.pearsonr(a, b).statistic)
    assert correlation(a[:2], b[:2]) is correlation([1.0] * 4, b) is None
