"""What becomes of a verdict under other conditions, and of an effect as models grow."""

import io

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from harness.analysis.effects.holds import Under, held, settings_of_scales
from harness.analysis.effects.trend import trend
from harness.analysis.verdicts.compare import compare
from harness.analysis.words.holds_view import holds_dict, holds_lines, holds_tables, trends

NOISE = 1e-3


@pytest.fixture
def under(make_plan, make_runs):
    """Return the experiment of a condition in which arm `b` is worse than `a` by `effect`."""

    def make(
        kind, name, effect, seed=0, params=1000, variant=None, n=6, lost=-1, judged=True, **plan
    ):
        generator = np.random.default_rng(seed)
        blocks = 0.02 * generator.normal(size=n)
        values = {
            arm: 1.7 + blocks + shift + NOISE * generator.normal(size=n)
            for arm, shift in (("a", 0.0), ("b", effect))
        }
        arms = {
            arm: {
                "variant": {"ffn": arm} if variant is None else variant,
                "cost": {"params": params},
            }
            for arm in values
        }
        condition = None if kind == "main" else {"kind": kind, "name": name, "main": "main"}
        contrasts = {"b - a": ["b", "a"]}
        plan = make_plan(arms, range(n), condition=condition, contrasts=contrasts, **plan)
        runs = make_runs(values)
        runs.loc[runs["seed"] == lost, "status"] = "failed"
        return Under(kind, name, plan, runs, compare(plan, runs) if judged else None)

    return make


@pytest.mark.parametrize(
    ("main", "there", "kind", "holds"),
    [
        (0.02, 0.03, "budget", "holds"),
        (0.02, 0.03, "confirm", "confirmed"),
        (0.02, 0.0, "confirm", "not confirmed"),
        (0.02, -0.03, "confirm", "contradicted"),
        (0.02, -0.03, "scale", "reversed"),
        (0.02, 0.0006, "scale", "same sign, not resolved"),
        (0.02, -0.0009, "scale", "other sign, not resolved"),
        (0.0, 0.02, "design", "resolved here"),
        (0.0, 0.0, "design", "not resolved either"),
    ],
)
def test_what_becomes_of_a_verdict(under, main, there, kind, holds):
    [found] = held(under("main", "main", main, seed=3), [under(kind, "other", there, seed=4)])
    assert found.holds == holds


def test_a_condition_that_lacks_a_run_is_refused_there(under):
    [found] = held(under("main", "main", 0.02), [under("budget", "0.5x", 0.02, lost=3)])
    assert found.holds == "refused"
    assert "a lacks seed 3 (failed)" in found.reason


def test_the_change_of_an_effect_is_a_paired_interval_over_the_seeds(under):
    main, small, large = (
        under("main", "main", 0.02, seed=1),
        under("scale", "small", 0.05, seed=2),
        under("scale", "large", 0.01, seed=5),
    )
    effects = {}
    for one in (main, small):
        wide = one.runs.pivot(index="seed", columns="arm", values="val_bpb")
        effects[one.name] = (wide["b"] - wide["a"]).to_numpy()
    change = effects["small"] - effects["main"]
    critical = stats.t.ppf((1 + 0.95 ** (1 / 2)) / 2, 5)
    half = critical * change.std(ddof=1) / np.sqrt(6)
    found = {one.condition: one for one in held(main, [small, large])}
    assert found["small"].change.mean == pytest.approx(change.mean())
    assert found["small"].change.low == pytest.approx(change.mean() - half)
    assert found["small"].change.low > 0.02 and found["large"].change.high < 0


def test_fresh_seeds_are_never_put_together_with_the_others(under):
    [found] = held(under("main", "main", 0.02), [under("confirm", "confirm", 0.02, seed=8)])
    assert found.change is None


def test_two_designs_that_share_their_runs_have_changed_nothing(under):
    [found] = held(under("main", "main", 0.02), [under("design", "not_re_spent", 0.02)])
    assert (found.change.low, found.change.mean, found.change.high) == (0, 0, 0)


def lines(main, *others):
    return list(holds_lines(main, others, held(main, others)))


def test_a_claim_about_an_architecture_says_whether_its_sign_holds_at_other_budgets(under):
    main = under("main", "main", 0.02)
    both = lines(main, under("budget", "0.5x", 0.02, seed=2))
    assert both == ["b - a has the same sign at 1x, 0.5x of the budget (2 resolved)"]
    turned = lines(main, under("budget", "0.5x", -0.02, seed=2))
    assert turned == ["b - a changes its sign with the budget: not the same at 0.5x as at 1x"]


def test_what_is_no_claim_about_an_architecture_has_no_such_note(under):
    other = under("budget", "0.5x", 0.02, seed=2)
    assert lines(under("main", "main", 0.0), other) == []
    assert lines(under("main", "main", 0.02, variant={"ffn": "swiglu"}), other) == []


def test_conditions_that_were_not_run_are_named(under):
    listed = [{"kind": "budget", "name": "0.5x", "experiment": "main.0.5x"}]
    main = under("main", "main", 0.0, conditions=listed)
    assert lines(main) == ["budget 0.5x has not been run"]


def test_how_rates_were_chosen_at_each_size_is_said(under):
    def plans(**given):
        return [under("scale", name, 0.0, **given).plan for name in ("s", "m")]

    main, *scales = plans()
    assert "neither tuned" in settings_of_scales(main, scales)
    main, *scales = plans(tune={"key": "train.optimizer.lr"})
    assert settings_of_scales(main, scales) == "each size is tuned by itself"
    main, *scales = plans(variant={"mup_base_width": 64})
    assert "from width 64 by muP" in settings_of_scales(main, scales)


def sizes(under, slope, n_sizes):
    """Effects that change by `slope` for ten times the parameters, from 1,000 of them on."""
    params = [10 ** (3 + i / 2) for i in range(n_sizes)]
    made = [
        under("scale" if i else "main", f"size{i}", 0.02 + slope * i / 2, seed=i, params=p)
        for i, p in enumerate(params)
    ]
    return made[0], made[1:]


def test_an_effect_that_fades_with_size_has_a_falling_line(under):
    main, others = sizes(under, -0.01, 4)
    [found] = trends(main, others)
    assert found.slope.low < -0.01 < found.slope.high < 0
    assert found.sizes == pytest.approx((1000, 3162.28, 10_000, 31_622.8), rel=1e-4)
    assert any("for ten times the parameters" in line for line in lines(main, *others))


def test_three_sizes_have_no_line(under):
    main, others = sizes(under, -0.01, 3)
    assert trends(main, others) == []
    twice = under("scale", "another of the first size", 0.02, seed=9, params=1000)
    assert trends(main, [*others, twice]) == []


def test_slopes_cover_the_truth_as_often_as_they_say(under):
    """Of 120 flat effects over four sizes, about 5 % may have a line that rises or falls."""
    rejected = 0
    for i in range(120):
        made = [
            under("scale", str(j), 0.02, 1000 + 4 * i + j, 10 ** (3 + j / 2), judged=False)
            for j in range(4)
        ]
        slope = trend(made, "b - a", "b", "a", 0.95).slope
        rejected += slope.low > 0 or slope.high < 0
    assert stats.binom.ppf(0.001, 120, 0.05) <= rejected <= stats.binom.ppf(0.999, 120, 0.05)


def test_conditions_are_drawn_and_written(under):
    main, other = under("main", "main", 0.02), under("budget", "0.5x", 0.03, seed=2)
    console = Console(width=120, file=io.StringIO())
    console.print(*holds_tables(main, [other]))
    drawn = console.file.getvalue()
    assert "Does it hold?" in drawn and "budget 0.5x" in drawn and "holds" in drawn
    [row] = holds_dict(main, [other])["conditions"]
    assert row["change"]["n"] == 6
    assert holds_tables(under("main", "main", 0.0), []) == []
