"""Pairs that are whole are judged together; a pilot's seeds give the variance."""

import numpy as np
import pytest

from harness.analysis.verdicts.compare import compare

RNG = np.random.default_rng(8)
VALUES = {arm: 1.9 + 0.01 * RNG.standard_normal(8) for arm in ("a", "b", "c", "d")}


def test_a_pair_that_lacks_a_run_does_not_change_the_others(make_plan, make_runs):
    three = {arm: VALUES[arm] for arm in "abc"}
    expected = compare(make_plan(list(three), range(8)), make_runs(three)).contrasts
    runs = make_runs(VALUES)
    runs.loc[(runs["arm"] == "d") & (runs["seed"] == 7), "status"] = "failed"
    *others, lacking = compare(make_plan(list(VALUES), range(8)), runs).contrasts
    assert [(c.low, c.high, c.n) for c in others] == [(c.low, c.high, c.n) for c in expected]
    assert (lacking.verdict, lacking.n, lacking.family_size, lacking.method) == (
        *("refused", 7, 1, "own"),
    )
    assert lacking.low < lacking.difference < lacking.high


def test_the_final_interval_has_the_variance_of_the_pilot(make_plan, make_runs):
    two = {arm: VALUES[arm] for arm in "ab"}
    rule = {"pilot": 4, "resolve": 1e-9, "max": 8}
    [found] = compare(make_plan(list(two), range(8), seeds_rule=rule), make_runs(two)).contrasts
    differences = two["b"] - two["a"]
    half_width = 3.182 * differences[:4].std(ddof=1) / np.sqrt(8)
    assert found.difference == pytest.approx(differences.mean())
    assert found.high - found.difference == pytest.approx(half_width, rel=1e-3)


def test_it_has_the_width_that_seeds_were_added_for(make_plan, make_runs):
    two = {arm: VALUES[arm] for arm in "ab"}
    for resolve, n, expected in ((0.05, 8, 0.05), (0.05, 4, None)):
        rule = {"pilot": 4, "resolve": resolve, "max": 8}
        values = {arm: of_arm[:n] for arm, of_arm in two.items()}
        [found] = compare(
            make_plan(list(two), range(n), seeds_rule=rule), make_runs(values)
        ).contrasts
        half_width = (found.high - found.low) / 2
        own = 3.182 * (values["b"] - values["a"])[:4].std(ddof=1) / np.sqrt(n)
        assert half_width == pytest.approx(expected or own, rel=1e-3)
        assert (found.p_adjusted < 0.05) == (found.low > 0 or found.high < 0)
