"""The learning rate is a function of the fraction of the budget alone."""

import math

import pytest

from harness.errors import ConfigError
from harness.training.schedules import SCHEDULE


def cosine(**options):
    return SCHEDULE.build(SCHEDULE.resolve({"name": "cosine", **options}))


def test_the_warmup_rises_in_a_line_to_the_peak():
    schedule = cosine(warmup=0.2)
    assert [schedule.factor(spent) for spent in (0.02, 0.1, 0.2)] == pytest.approx([0.1, 0.5, 1])


def test_the_first_step_already_learns():
    assert cosine(warmup=0.2).factor(0.0) == 0.01


def test_without_warmup_it_begins_at_the_peak():
    assert cosine(warmup=0).factor(0.0) == 1.0


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_it_ends_at_final_by_half_a_cosine(final):
    schedule = cosine(warmup=0.2, final=final)
    assert schedule.factor(1.0) == pytest.approx(final, abs=1e-12)
    assert schedule.factor(0.6) == pytest.approx((1 + final) / 2)
    quarter = final + (1 - final) * (1 + math.cos(math.pi / 4)) / 2
    assert schedule.factor(0.4) == pytest.approx(quarter)


@pytest.mark.parametrize("options", [{"warmup": 1}, {"warmup": -0.1}, {"final": 1.1}, {"end": 0}])
def test_options_out_of_bounds_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        cosine(**options)
