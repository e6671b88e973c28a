"""How much less compute the better arm needs for the other one's loss."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.analysis.effects.decayed import Decayed, decayed_points
from harness.analysis.effects.holds import Under
from harness.analysis.effects.multiplier import multiplier
from harness.analysis.verdicts.compare import compare
from harness.analysis.words.multiplier_view import multiplier_lines, multipliers_dict

SHARES = (0.25, 0.5, 1.0)
SLOPE = -0.1  # of the loss, for e times the compute


def losses(share, times=1.0):
    """Of an arm that needs `times` less compute than the baseline."""
    return 2.0 + SLOPE * np.log(share * times)


@pytest.fixture
def budgets(make_plan, make_runs):
    """Return the experiments of several budgets of `base` and of `good`, which needs less."""

    def make(times=1.5, noise=1e-3, n=6, seed=0, shares=SHARES, flops=1.0, judged=True):
        generator = np.random.default_rng(seed)
        blocks = 0.01 * generator.normal(size=n)

        def under(share):
            values = {
                arm: losses(share, factor) + blocks + noise * generator.normal(size=n)
                for arm, factor in (("base", 1.0), ("good", times))
            }
            runs = make_runs(values)
            cost = {"base": 1.0, "good": flops}
            runs["flops"] = 1e12 * share * runs["arm"].map(cost)
            runs["seconds"] = 60.0 * share * runs["arm"].map({"base": 1.0, "good": 1.2})
            plan = make_plan(["base", "good"], range(n))
            name = "main" if share == 1 else f"{share:g}x"
            kind = "main" if share == 1 else "budget"
            return Under(kind, name, plan, runs, compare(plan, runs) if judged else None)

        *others, main = map(under, shares)
        return main, others

    return make


def of(made, unit="flops", level=0.95):
    return multiplier(decayed_points(*made), "good", "base", unit, level)


def test_the_planted_multiplier_is_found(budgets):
    found = of(budgets(times=1.5))
    assert (found.better, found.other, found.n, found.n_points) == ("good", "base", 6, 3)
    assert found.estimate == pytest.approx(1.5, rel=0.02)
    assert 1 < found.low < 1.5 < found.high < 1.6


def test_seconds_are_those_that_runs_took(budgets):
    made = budgets(times=1.5)
    assert of(made, "seconds").estimate == pytest.approx(of(made).estimate / 1.2, rel=0.01)


def test_an_arm_whose_runs_cost_more_is_charged_for_it(budgets):
    assert of(budgets(times=1.5, flops=1.5)).estimate == pytest.approx(1.0, rel=0.02)


def test_the_better_arm_is_the_one_that_ended_lower(budgets):
    found = of(budgets(times=0.8))
    assert (found.better, found.other) == ("base", "good")
    assert found.estimate == pytest.approx(1 / 0.8, rel=0.02)


def test_the_interval_excludes_1_exactly_where_the_paired_test_does(budgets):
    told = 0
    for seed in range(25):
        made = budgets(times=1.01, noise=2e-3, seed=seed, judged=False)
        wide = made[0].runs.pivot(index="seed", columns="arm", values="val_bpb")
        p = stats.ttest_rel(wide["good"], wide["base"]).pvalue
        found = of(made)
        excludes = found.low is not None and found.low > 1
        assert excludes == (p < 0.05)
        told += excludes
    assert 0 < told < 25


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of 400 experiments, with a multiplier between two of the budgets."""
    generator, n_seeds, arms = np.random.default_rng(0), 5, ["base", "good"]
    spent = pd.DataFrame({arm: {share: 1e12 * share for share in SHARES} for arm in arms})
    missed = 0
    for _ in range(400):
        blocks = 0.01 * generator.normal(size=n_seeds)
        noise = 5e-3 * generator.normal(size=(len(SHARES), 2, n_seeds))
        values = tuple(
            pd.DataFrame(
                {a: losses(s, t) + blocks + e for a, t, e in zip(arms, (1, 1.4), es, strict=True)}
            )
            for s, es in zip(SHARES, noise, strict=True)
        )
        points = Decayed("budgets", "val_bpb", SHARES, values, {"flops": spent})
        found = multiplier(points, "good", "base", "flops", 0.95)
        if (found.better, found.other) == ("base", "good"):
            missed += found.low is not None and found.low > 1
            continue
        low = found.low if found.low is not None else found.least
        high = found.high if found.high is not None else found.most
        missed += not low <= 1.4 <= high
    assert stats.binom.ppf(0.001, 400, 0.05) <= missed <= stats.binom.ppf(0.999, 400, 0.05)


def test_lines_are_followed_to_twice_the_range_and_no_further(budgets):
    within = of(budgets(times=6.0))  # the smallest budget, a quarter, is followed to an eighth
    assert within.estimate == pytest.approx(6.0, rel=0.05)
    beyond = of(budgets(times=12.0))
    assert (beyond.estimate, beyond.high) == (None, None)
    assert beyond.most == pytest.approx(8.0)
    [said, _] = multiplier_lines(*budgets(times=12.0))
    assert "good reaches the val_bpb of base with more than 8 times fewer FLOPs" in said


def test_losses_that_do_not_fall_have_no_line(budgets):
    main, others = budgets()
    for other in others:
        other.runs["val_bpb"] -= 1
    assert (
        of((main, others)).reason == "more compute does not improve good: there is no line to read"
    )


def test_seeds_need_every_budget(budgets):
    main, others = budgets(n=5)
    others[0].runs.loc[others[0].runs["seed"] > 2, "status"] = "failed"
    found = of((main, others))
    assert found.reason == "it needs 4 seeds at every amount of compute, but there are 3"
    [said] = multiplier_lines(main, others)
    assert "none, it needs 4 seeds" in said


def test_one_budget_has_none(budgets):
    main, _ = budgets()
    assert decayed_points(main, []) is None
    assert list(multiplier_lines(main, [])) == []
    assert multipliers_dict(main, []) == {"multipliers": []}


def test_branches_of_one_training_are_decayed_points_too(budgets):
    main, others = budgets(times=1.5)
    expected = of((main, others))
    runs = main.runs.copy()
    for other in others:
        at = f"at_{float(other.name.rstrip('x')):g}"
        by_run = other.runs.set_index(["arm", "seed"])
        index = pd.MultiIndex.from_frame(runs[["arm", "seed"]])
        for column in ("val_bpb", "flops"):
            runs[f"{at}/{column}"] = by_run[column].reindex(index).to_numpy()
    branched = Under("main", "main", main.plan, runs, main.comparison)
    found = of((branched, []))
    assert found.source == "branches"
    assert (found.low, found.estimate, found.high) == pytest.approx(
        (expected.low, expected.estimate, expected.high)
    )
    assert of((branched, []), "seconds").estimate == pytest.approx(
        of((main, others), "seconds").estimate
    )
