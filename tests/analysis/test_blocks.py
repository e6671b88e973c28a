"""A family of contrasts: differences within seeds, their errors, and joint intervals."""

import numpy as np
import pytest
from scipy import stats

from harness.analysis.statistics.blocks import judge_family
from harness.analysis.statistics.critical import moderated

PAIR = ((-1.0, 1.0),)
BASELINE = ((-1.0, 1.0, 0.0), (-1.0, 0.0, 1.0))


def test_one_contrast_is_a_paired_t_test():
    values = np.random.default_rng(0).normal(size=(2, 6))
    found = judge_family(values, PAIR)
    test = stats.ttest_rel(values[1], values[0])
    low, high = test.confidence_interval(0.9)
    assert found.difference[0] == pytest.approx((low + high) / 2)
    assert found.half_width(0.9)[0] == pytest.approx((high - low) / 2, rel=1e-5)
    assert found.p_adjusted[0] == pytest.approx(test.pvalue, rel=1e-4)


def test_what_all_arms_share_at_a_seed_drops_out():
    values = np.random.default_rng(1).normal(size=(3, 5))
    shifted = values + 100 * np.arange(5)
    first, second = (judge_family(v, BASELINE) for v in (values, shifted))
    assert second.difference == pytest.approx(first.difference)
    assert second.half_width(0.95) == pytest.approx(first.half_width(0.95))


def test_an_interval_excludes_0_exactly_where_the_adjusted_p_is_below_alpha():
    rng = np.random.default_rng(2)
    for alpha in (0.05, 0.2):
        for _ in range(200):
            found = judge_family(rng.normal(size=(3, 5)) + np.arange(3)[:, None], BASELINE)
            excludes = np.abs(found.difference) > found.half_width(1 - alpha)
            assert excludes.tolist() == [p < alpha for p in found.p_adjusted]


def test_a_quiet_contrast_borrows_noise_and_a_noisy_one_lends_it():
    base = np.array([0.0, 1.0, 3.0, -2.0, 0.5])
    values = np.stack([base, base + 0.1 * np.array([1, -1, 0, 1, -1]), -base])
    quiet, noisy = judge_family(values, BASELINE).seed_error * np.sqrt(5)
    sd_quiet, sd_noisy = judge_family(values, BASELINE).sd
    assert sd_quiet < quiet < noisy < sd_noisy


def test_a_variance_is_two_thirds_its_own_and_a_third_the_familys():
    np.testing.assert_allclose(moderated(np.array([1.0, 4.0])), [2 / 3 + 2.5 / 3, 8 / 3 + 2.5 / 3])
    of_a_quiet_one = moderated(np.array([0.01, 10.0]))[0]
    assert of_a_quiet_one == pytest.approx(0.02 / 3 + 4 * 0.01 / 3)  # at most four times its own


def test_an_error_of_documents_widens_and_brings_degrees_of_freedom():
    values = np.random.default_rng(3).normal(size=(2, 4))
    alone = judge_family(values, PAIR)
    equal = judge_family(values, PAIR, evaluation_error=alone.seed_error, documents=1000)
    assert equal.error == pytest.approx(np.sqrt(2) * alone.error)
    assert alone.half_width(0.95) < equal.half_width(0.95) < np.sqrt(2) * alone.half_width(0.95)
    few = judge_family(values, PAIR, evaluation_error=alone.seed_error, documents=3)
    assert few.half_width(0.95) > equal.half_width(0.95)


def test_a_pilot_lends_its_variance_and_its_degrees_of_freedom():
    values = np.random.default_rng(4).normal(size=(2, 9))
    whole, pilot = judge_family(values, PAIR, pilot=4), judge_family(values[:, :4], PAIR)
    assert whole.difference == pytest.approx(values[1].mean() - values[0].mean())
    assert whole.half_width(0.95) == pytest.approx(pilot.half_width(0.95) * np.sqrt(4 / 9))


def test_an_experiment_is_judged_as_it_is_among_thousands():
    values = np.random.default_rng(5).normal(size=(7, 3, 5))
    together = judge_family(values, BASELINE)
    alone = judge_family(values[4], BASELINE)
    assert together.half_width(0.95)[4] == pytest.approx(alone.half_width(0.95))


def test_without_any_noise_p_says_whether_there_is_a_difference():
    assert judge_family(np.ones((2, 4)), PAIR).p_adjusted == [1.0]
    assert judge_family(np.array([[0.0] * 4, [1.0] * 4]), PAIR).p_adjusted == [0.0]
