"""Main effects and interactions of factor designs."""

import io
import itertools

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from harness.analysis.effects.designed import effects_in
from harness.analysis.effects.effects import analysis_of_variance, effects
from harness.analysis.statistics.blocks import judge_family
from harness.analysis.statistics.values import seed_values
from harness.analysis.words.effects_view import design_lines, effects_dict, effects_tables

SEEDS = range(6)
TWO = {"heads": ["mha", "mqa"], "ffn": ["swiglu", "gelu"]}


def crossed(levels, rows=None):
    """Return arms of a design: all combinations, or those given as indices of levels."""
    rows = rows or itertools.product(*(range(len(found)) for found in levels.values()))
    chosen = [
        dict(
            zip(
                levels,
                (found[i] for found, i in zip(levels.values(), row, strict=True)),
                strict=True,
            )
        )
        for row in rows
    ]
    return {"-".join(c.values()): {"cost": {}, "factors": c} for c in chosen}


@pytest.fixture
def designed(make_plan, make_runs):
    """Return plan and runs of a design whose arms have these means, plus noise over the seeds."""

    def make(mean_of, levels=TWO, rows=None, combine="all", noise=1e-3):
        arms = crossed(levels, rows)
        generator = np.random.default_rng(3)
        blocks = 0.05 * generator.normal(size=len(SEEDS))
        values = {
            name: mean_of(arm["factors"]) + blocks + noise * generator.normal(size=len(SEEDS))
            for name, arm in arms.items()
        }
        plan = make_plan(arms, SEEDS, factors={"combine": combine, "levels": levels})
        return plan, make_runs(values), values

    return make


def planted(levels):
    mqa, gelu = levels["heads"] == "mqa", levels["ffn"] == "gelu"
    return 1.7 + 0.02 * mqa - 0.01 * gelu + 0.03 * (mqa and gelu)


def test_effects_are_what_was_planted(designed):
    plan, runs, _ = designed(planted)
    found = {effect.name: effect for effect in effects(plan, runs)}
    heads, ffn, both = found["heads: mqa - mha"], found["ffn: gelu - swiglu"], found["heads x ffn"]
    assert (heads.difference, ffn.difference, both.difference) == pytest.approx(
        (0.035, 0.005, 0.03), abs=0.002
    )
    assert (heads.verdict, ffn.verdict, both.verdict) == ("worse", "worse", "interact")


def test_an_effect_alone_is_a_paired_t_interval_over_the_seeds(designed):
    plan, runs, values = designed(planted)
    a, b, c, d = (values[n] for n in ("mha-swiglu", "mha-gelu", "mqa-swiglu", "mqa-gelu"))
    by_seed = d - c - b + a
    half = stats.t.ppf(0.975, 5) * by_seed.std(ddof=1) / np.sqrt(6)
    [_, _, both] = effects(plan, runs)
    expected = by_seed.mean() - half, by_seed.mean(), by_seed.mean() + half
    assert (both.low, both.difference, both.high) == pytest.approx(expected, rel=0.01)


def test_effects_of_a_kind_hold_together(designed):
    plan, runs, _ = designed(planted)
    estimates = judge_family(
        seed_values(plan, runs, "val_bpb").to_numpy().T, ((-0.5, -0.5, 0.5, 0.5), (-0.5, 0.5) * 2)
    )
    [heads, ffn, _] = effects(plan, runs)
    halves = estimates.half_width(0.95)
    assert [one.high - one.difference for one in (heads, ffn)] == pytest.approx(list(halves))
    assert heads.family_size == 2


def test_nothing_planted_is_not_resolved(designed):
    plan, runs, _ = designed(lambda levels: 1.7)
    assert {effect.verdict for effect in effects(plan, runs)} == {"not resolved"}


def test_further_levels_are_compared_with_the_first(designed):
    levels = {"norm": ["rms", "layer", "dyt"], "ffn": ["swiglu", "gelu"]}
    plan, runs, _ = designed(lambda c: {"rms": 0, "layer": 0.1, "dyt": 0.3}[c["norm"]], levels)
    found = {effect.name: effect.difference for effect in effects(plan, runs)}
    assert list(found) == [
        "norm: layer - rms",
        "norm: dyt - rms",
        "ffn: gelu - swiglu",
        "norm x ffn: layer, gelu",
        "norm x ffn: dyt, gelu",
    ]
    assert list(found.values()) == pytest.approx([0.1, 0.3, 0, 0, 0], abs=0.003)


def test_a_missing_run_refuses_the_effects_that_need_it_and_no_others(designed):
    levels = {"norm": ["rms", "layer", "dyt"], "ffn": ["swiglu", "gelu"]}
    plan, runs, _ = designed(lambda c: 1.0, levels)
    runs.loc[(runs["arm"] == "dyt-gelu") & (runs["seed"] == 2), "status"] = "failed"
    found = {effect.name: effect for effect in effects(plan, runs)}
    assert found["norm: layer - rms"].verdict == "not resolved"
    assert found["norm x ffn: layer, gelu"].n == 6
    for name in ("norm: dyt - rms", "ffn: gelu - swiglu", "norm x ffn: dyt, gelu"):
        assert found[name].verdict == "refused"
        assert found[name].reason == "dyt-gelu lacks seed 2 (failed)"
    assert analysis_of_variance(plan, runs) is None


def test_a_fraction_names_what_it_cannot_tell_apart(designed):
    levels = {name: ["0", "1"] for name in "abc"}
    rows = [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0)]
    plan, runs, _ = designed(lambda c: 0.1 * (c["c"] == "1"), levels, rows, "fractional")
    aliases = {effect.name: effect.aliases for effect in effects_in(plan)}
    assert aliases == {
        "a: 1 - 0": ("b x c",),
        "b: 1 - 0": ("a x c",),
        "c: 1 - 0": ("a x b",),
    }
    assert effects(plan, runs)[2].difference == pytest.approx(0.1, abs=0.003)
    assert "c: 1 - 0 cannot be told from a x b" in list(design_lines(plan))


def test_designs_that_average_nothing_have_no_effects_and_say_so(designed):
    rows = [(0, 0), (1, 0), (0, 1)]
    plan, runs, _ = designed(planted, TWO, rows, "one_at_a_time")
    assert effects(plan, runs) == []
    assert analysis_of_variance(plan, runs) is None
    [line] = design_lines(plan)
    assert "no interaction can be seen" in line


def test_plans_from_before_designs_are_complete_ones(designed):
    plan, runs, _ = designed(planted)
    recorded = effects(plan, runs)
    del plan["factors"]
    assert effects(plan, runs) == recorded


def test_arms_without_factors_have_no_effects(make_plan, make_runs):
    plan, runs = make_plan(["a", "b"], range(4)), make_runs({"a": [1, 2, 3, 4], "b": [2, 3, 4, 6]})
    assert effects(plan, runs) == []
    assert effects_dict(plan, runs) == {}
    assert effects_tables(plan, runs) == []


def test_the_analysis_of_variance_is_that_of_the_textbook(designed):
    """A randomised complete block design: mean squares over that of what arms and seeds leave."""
    plan, runs, values = designed(planted, noise=0.01)
    y = np.array(list(values.values()))  # arm, seed; arms mha-swiglu mha-gelu mqa-swiglu mqa-gelu
    rest = y - y.mean(0) - y.mean(1, keepdims=True) + y.mean()
    mean_square = (rest**2).sum() / (3 * 5)
    heads = y[2:].mean() - y[:2].mean()
    table = analysis_of_variance(plan, runs)
    assert list(table.index) == ["seed", "heads", "ffn", "heads x ffn", "residual"]
    assert table.loc["heads", "sum_sq"] == pytest.approx(6 * heads**2)
    assert table.loc["heads", "F"] == pytest.approx(6 * heads**2 / mean_square)
    assert table.loc["residual", "df"] == 15
    assert table.loc["heads", "p"] == pytest.approx(stats.f.sf(6 * heads**2 / mean_square, 1, 15))


def test_effects_are_drawn_and_written(designed):
    plan, runs, _ = designed(planted)
    console = Console(width=100, file=io.StringIO())
    console.print(*effects_tables(plan, runs))
    drawn = console.file.getvalue()
    assert "heads: mqa - mha" in drawn and "interact" in drawn and "sum of squares" in drawn
    data = effects_dict(plan, runs)
    assert [effect["name"] for effect in data["effects"]][2] == "heads x ffn"
    assert data["anova"][-1]["F"] is None
