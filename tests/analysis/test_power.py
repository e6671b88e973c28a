"""Power is what it is said to be, and so are the seeds that it takes."""

import numpy as np
import pytest

from harness.analysis.statistics.blocks import judge_family
from harness.analysis.statistics.power import Question

PAIR = ((1.0, -1.0),)
AGAINST_FIRST = ((-1.0, 1.0, 0.0, 0.0), (-1.0, 0.0, 1.0, 0.0), (-1.0, 0.0, 0.0, 1.0))


def one(sd=1.0, alpha=0.05, **evaluation):
    return Question(PAIR, 0, (sd,), alpha, **evaluation)


@pytest.mark.parametrize(("n", "effect"), [(2, 11.5), (3, 3.27), (4, 2.13), (5, 1.68), (10, 1.0)])
def test_the_smallest_detectable_difference_is_the_tabulated_one(n, effect):
    assert one().smallest_detectable(n) == pytest.approx(effect, rel=0.01)
    assert one(sd=2.5).smallest_detectable(n) == pytest.approx(2.5 * effect, rel=0.01)


def test_two_standard_deviations_are_seen_with_five_seeds():
    assert one().power(2.0, 5) > 0.9
    assert one().power(-2.0, 5) == one().power(2.0, 5)


@pytest.mark.parametrize("n", [4, 5, 10, 14, 25])
@pytest.mark.parametrize("sds", [(1.0, 1.0, 1.0), (0.5, 1.0, 2.0)])
def test_predicted_power_is_the_simulated_one(n, sds):
    """Of differences from a baseline without noise: another correlation than is assumed."""
    rng = np.random.default_rng(n)
    values = np.array([0.0, *sds])[:, None] * rng.standard_normal((4000, 4, n))
    for index in range(3):
        effect = 2.2 * sds[index] / np.sqrt(n / 4)
        found = judge_family(values, AGAINST_FIRST)
        low = found.difference + effect - found.half_width(0.95)
        predicted = Question(AGAINST_FIRST, index, sds, 0.05).power(effect, n)
        assert np.mean(low[:, index] > 0) == pytest.approx(predicted, abs=0.05)


def test_an_error_by_documents_costs_power():
    with_documents = one(evaluation_error=0.5, documents=100)
    assert with_documents.power(2.0, 6) < one().power(2.0, 6)
    assert with_documents.seeds_needed(1.0) is None
    assert one().seeds_needed(1.0) == 10


def test_the_seeds_needed_are_the_fewest_that_detect():
    n = one(sd=1.5).seeds_needed(1.0)
    assert one(sd=1.5).power(1.0, n) >= 0.8 > one(sd=1.5).power(1.0, n - 1)
    assert one(sd=1.5).seeds_needed(-1.0) == n
    assert one().seeds_needed(100.0) == 4
    assert one().seeds_needed(0.01) is one(sd=0.0).seeds_needed(0.0) is None


def test_more_contrasts_detect_less():
    family = Question(AGAINST_FIRST, 1, (1.0, 1.0, 1.0), 0.05)
    assert family.smallest_detectable(5) > one().smallest_detectable(5)
    assert family.smallest_detectable(1) is None
    assert one(sd=0.0).smallest_detectable(5) == 0.0
