"""What each factor of a design does on average, and how much two of them depend on each other.

An effect has one value a seed: the weighted sum of the arms at that seed. So seeds are blocks, what
the arms of a seed share cancels, and the interval is a paired t interval, as of a contrast; those
of the main effects hold together, and so do those of the interactions (Šidák). Nothing is assumed
of the variances of arms.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from harness.analysis.blocks import judge_family
from harness.analysis.designed import INTERACTION, MAIN, Weighted, effects_in, is_crossed, levels_of
from harness.analysis.intervals import LEAST_PAIRS
from harness.analysis.pairing import lacking
from harness.analysis.values import seed_values, usable
from harness.analysis.verdict import Verdict, judge
from harness.store.tables import Plan

INTERACTS = "interact"
"""The verdict on an interaction that is resolved: neither sign is better than the other."""


@dataclass(frozen=True)
class Effect:
    """A main effect or an interaction, with its simultaneous interval and what it allows."""

    name: str
    kind: str
    n: int
    difference: float | None
    low: float | None
    high: float | None
    level: float
    family_size: int
    sd: float | None
    """Of its values over the seeds."""
    verdict: str
    reason: str | None
    aliases: tuple[str, ...]


def effects(plan: Plan, runs: pd.DataFrame) -> list[Effect]:
    """Estimate the effects of a plan whose factors are crossed; none of any other plan."""
    found = effects_in(plan)
    values = seed_values(plan, runs, plan["metric"]).reindex(plan["seeds"])
    by_effect = {one: list(_reasons(plan, runs, one)) for one in found}
    estimated: dict[Weighted, Effect] = {}
    for kind in (MAIN, INTERACTION):
        ours = [one for one in found if one.kind == kind]
        whole = [one for one in ours if not by_effect[one]]
        # what is refused is estimated by itself, so that there is a number to show
        for family in [whole, *([one] for one in ours if by_effect[one])]:
            for one, index in zip(family, range(len(family)), strict=True):
                estimated[one] = _effect(plan, values, family, index, by_effect[one], len(ours))
    return [estimated[one] for one in found]


def _effect(
    plan: Plan,
    values: pd.DataFrame,
    family: list[Weighted],
    index: int,
    reasons: list[str],
    family_size: int,
) -> Effect:
    """Estimate one of the effects that are judged together."""
    effect, level = family[index], 1 - plan["alpha"]
    arms = sorted({arm for one in family for arm in one.weights})
    complete = values[arms].dropna()
    weights = tuple(tuple(one.weights.get(arm, 0.0) for arm in arms) for one in family)
    difference = sd = low = high = None
    if len(complete) > 1:
        found = judge_family(complete.to_numpy().T, weights)
        difference, sd = float(found.difference[index]), float(found.sd[index])
        half = float(found.half_width(level)[index])
        low, high = difference - half, difference + half
        if not reasons and difference and sd <= 1e-12 * abs(difference):
            reasons = ["the seeds do not differ at all"]
    return Effect(
        name=effect.name,
        kind=effect.kind,
        n=len(complete),
        difference=difference,
        low=low,
        high=high,
        level=level,
        family_size=family_size,
        sd=sd,
        verdict=Verdict.REFUSED if reasons else _verdict(plan, effect, low, high),
        reason="; ".join(reasons) or None,
        aliases=effect.aliases,
    )


def _reasons(plan: Plan, runs: pd.DataFrame, effect: Weighted) -> Iterator[str]:
    """Say why nothing may be claimed of an effect."""
    ours = runs[runs["arm"].isin(list(effect.weights))]
    for arm in effect.weights:
        if what := lacking(plan, runs, arm):
            yield f"{arm} lacks {what}"
    if usable(ours, plan["metric"])["environment"].nunique() > 1:
        yield "runs of different environments are not pooled"
    if (n := len(plan["seeds"])) < LEAST_PAIRS:
        yield f"a verdict needs {LEAST_PAIRS} seeds, but there are {n}"


def _verdict(plan: Plan, effect: Weighted, low: float | None, high: float | None) -> str:
    assert low is not None and high is not None  # four seeds have an interval
    judged = judge((low, high), metric=plan["metric"], maximise=plan.get("maximise"))
    resolved = judged is not Verdict.NOT_RESOLVED
    return INTERACTS if resolved and effect.kind == INTERACTION else judged


def analysis_of_variance(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame | None:
    """Return the ANOVA of a crossed design: sum of squares, df, F and p of each source.

    Seeds are blocks. The sources are the factors and their interactions of two, as far as the
    design can tell them apart; the residual is what is left, interactions of three with it. It is
    one variance for all arms, which the intervals of the effects do not assume. None: the factors
    are not crossed, a run is missing, or nothing is left for a residual.

    Source:
        `statsmodels.stats.anova.anova_lm`. The design is balanced and complete, so the types of
        sums of squares (I, II, III) do not differ.
    """
    metric, factors = plan["metric"], list(levels_of(plan))
    values = seed_values(plan, runs, metric).stack().dropna().rename(metric).reset_index()
    complete = len(values) == len(plan["arms"]) * len(plan["seeds"])
    if not is_crossed(plan) or not complete or len(plan["seeds"]) < 2:
        return None
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    columns = {factor: f"f{i}" for i, factor in enumerate(factors)}
    for factor, column in columns.items():
        values[column] = [plan["arms"][arm]["factors"][factor] for arm in values["arm"]]
    sources = {"seed": "C(seed)", **{factor: f"C({c})" for factor, c in columns.items()}}
    for effect in effects_in(plan):
        pair = effect.name.partition(":")[0].split(" x ")
        if effect.kind == INTERACTION:
            sources[" x ".join(pair)] = ":".join(f"C({columns[factor]})" for factor in pair)
    fit = ols(
        f"value ~ {' + '.join(sources.values())}", values.rename(columns={metric: "value"})
    ).fit()
    if fit.df_resid < 1:
        return None
    table = anova_lm(fit)
    named = {term: source for source, term in sources.items()} | {"Residual": "residual"}
    table.index = [named[term] for term in table.index]
    return table.rename(columns={"PR(>F)": "p"})
