"""The number of seeds follows from the pilot's spread, and from nothing else."""

import numpy as np
import pytest

from harness.analysis.statistics.blocks import judge_family
from harness.analysis.statistics.two_stage import seeds_after_pilot

SPREAD = np.array([0.0, 1.0, 2.0, 3.0, 4.0])


@pytest.fixture
def wanted(make_plan, make_runs):
    def ask(noise=0.01, shift=0.0, resolve=0.01, most=40, n=5, **plan):
        rule = {"pilot": 5, "resolve": resolve, "max": most}
        plan = make_plan(["gqa", "mqa"], range(n), seeds_rule=rule, **plan)
        mqa = shift + noise * np.resize([1, -1, 2, -2, 0], n)
        return seeds_after_pilot(
            plan, make_runs({"gqa": np.resize(SPREAD, n), "mqa": mqa + np.resize(SPREAD, n)})
        )

    return ask


def test_so_many_that_half_the_interval_is_what_was_asked_for(wanted):
    values = np.stack([np.zeros(5), 0.01 * np.array([1, -1, 2, -2, 0])])
    family = judge_family(np.tile(values, 4)[:, : wanted()], ((-1.0, 1.0),), pilot=5)
    assert family.half_width(0.95)[0] <= 0.01
    fewer = judge_family(np.tile(values, 4)[:, : wanted() - 1], ((-1.0, 1.0),), pilot=5)
    assert fewer.half_width(0.95)[0] > 0.01


def test_it_never_looks_at_the_difference(wanted):
    assert wanted(shift=0.0) == wanted(shift=5.0) > 5


def test_it_stays_between_the_pilot_and_the_most(wanted):
    assert wanted(noise=1e-6) == 5
    assert wanted(noise=1.0, most=12) == 12


def test_runs_after_the_pilot_change_nothing(wanted):
    assert wanted(n=15) == wanted(n=5)


def test_a_pilot_that_failed_asks_for_no_more(make_plan, make_runs):
    plan = make_plan(["a", "b"], range(5), seeds_rule={"pilot": 5, "resolve": 1e-9, "max": 9})
    runs = make_runs({"a": SPREAD, "b": 2 * SPREAD})
    assert seeds_after_pilot(plan, runs) == 9
    runs.loc[runs["seed"] > 2, "status"] = "failed"
    assert seeds_after_pilot(plan, runs) == 5


def test_the_primary_contrast_alone_decides_where_there_is_one(make_plan, make_runs):
    rule = {"pilot": 5, "resolve": 0.01, "max": 1000}
    noisy = SPREAD + 0.1 * np.array([3, -3, 1, 2, -4])
    runs = make_runs({"a": SPREAD, "b": SPREAD + 0.001 * np.sin(SPREAD), "c": noisy})
    plan = make_plan(["a", "b", "c"], range(5), seeds_rule=rule)
    assert seeds_after_pilot(plan, runs) > 100
    assert seeds_after_pilot({**plan, "contrasts": {"primary": ["b", "a"]}}, runs) == 5
