"""The largest t of a family has the distribution that intervals and p-values are taken from."""

import numpy as np
import pytest
from scipy import stats

from harness.analysis.statistics.critical import BORROWED, moderated, reference


def against_first(k):
    return tuple(tuple(float(j == i) - float(j == 0) for j in range(k)) for i in range(1, k))


def test_a_single_contrast_has_students_t():
    found = reference(against_first(2), 5)
    for alpha in (0.2, 0.05, 0.001):
        assert found.critical(alpha) == pytest.approx(stats.t.isf(alpha / 2, 4), rel=1e-5)
        assert found.p_value(stats.t.isf(alpha / 2, 4)) == pytest.approx(alpha, rel=1e-5)


@pytest.mark.parametrize(("k", "tabulated"), [(3, 2.21), (4, 2.35), (5, 2.44), (10, 2.69)])
def test_with_known_variances_it_is_dunnetts_table(k, tabulated):
    """Dunnett 1964, table II (two-sided, infinitely many degrees of freedom)."""
    assert reference(against_first(k), 4).critical(0.05, share=0.0) == pytest.approx(
        tabulated, abs=0.006
    )


def test_independent_contrasts_have_sidaks_level():
    apart = ((1.0, -1.0, 0.0, 0.0), (0.0, 0.0, 1.0, -1.0))
    each = stats.norm.isf((1 - 0.95**0.5) / 2)
    assert reference(apart, 6).critical(0.05, share=0.0) == pytest.approx(each, rel=2e-3)


def test_a_contrast_asked_twice_counts_once():
    once, twice = ((1.0, -1.0),), ((1.0, -1.0), (-1.0, 1.0))
    for alpha in (0.1, 0.01):
        expected = reference(once, 6).critical(alpha)
        assert reference(twice, 6).critical(alpha) == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("t", [0.3, 2.0, 3.3, 4.0])
@pytest.mark.parametrize("share", [1.0, 0.4, 0.0])
def test_a_p_value_is_the_level_at_which_the_interval_just_excludes_0(t, share):
    found = reference(against_first(4), 5)
    p = found.p_value(t, share)
    assert found.critical(p * 1.001, share) < t < found.critical(p * 0.999, share)
    assert found.p_value(-t, share) == p


def test_more_contrasts_and_fewer_seeds_take_a_larger_t():
    by_size = [reference(against_first(k), 5).critical(0.05) for k in (2, 3, 5, 8)]
    by_seeds = [reference(against_first(4), n).critical(0.05) for n in (4, 5, 8, 20)]
    assert by_size == sorted(by_size)
    assert by_seeds == sorted(by_seeds, reverse=True)


def test_it_is_the_same_every_time():
    first = reference(against_first(3), 4).critical(0.05)
    reference.cache_clear()
    assert reference(against_first(3), 4).critical(0.05) == first


def test_a_quiet_contrast_is_not_drowned():
    quiet, _ = moderated(np.array([1.0, 1e6]))
    assert quiet == pytest.approx(2.0)
    assert moderated(np.array([0.0, 1.0]))[0] == 0.0


def test_a_variance_is_drawn_towards_the_mean_of_its_family():
    assert moderated(np.array([1.0, 4.0, 1.0])) == pytest.approx(
        [1 + BORROWED, 4 - 2 * BORROWED, 1 + BORROWED]
    )
    assert moderated(np.array([3.0])) == [3.0]


def test_draws_of_variances_are_chi_squared():
    alone, together = reference(against_first(2), 7), reference(against_first(4), 7)
    assert np.median(alone.variances) == pytest.approx(stats.chi2.median(6) / 6, rel=2e-3)
    assert together.variances.mean(axis=0) == pytest.approx([1.0] * 3, abs=0.05)
