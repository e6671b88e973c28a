"""What each factor of a design does on average, and how much two of them depend on each other.

An effect has one value a seed: the weighted sum of the arms at that seed. So seeds are blocks, what
the arms of a seed share cancels, and an effect is a contrast of more than two arms, judged as those
are: the intervals of the main effects hold together, and so do those of the interactions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.effects.designed import (
    INTERACTION,
    MAIN,
    Weighted,
    effects_in,
    is_crossed,
    levels_of,
)
from harness.analysis.statistics.blocks import Estimates, judge_family
from harness.analysis.statistics.critical import Array
from harness.analysis.statistics.intervals import LEAST_PAIRS
from harness.analysis.statistics.values import report_runs, seed_values, usable
from harness.analysis.statistics.verdict import Verdict, judge
from harness.analysis.verdicts.pairing import lacking
from harness.analysis.verdicts.tuning import tuning_objection
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
    p_adjusted: float | None
    verdict: str
    reason: str | None
    aliases: tuple[str, ...]


def effects(plan: Plan, runs: pd.DataFrame) -> list[Effect]:
    """Estimate the effects of a plan whose factors are crossed; none of any other plan.

    An effect that lacks a value is refused, whatever its values: it is estimated on its own, so
    that there is a number to show, and the others are judged without it.
    """
    values = seed_values(plan, runs, plan["metric"]).reindex(plan["seeds"])
    found: list[Effect] = []
    for kind in (MAIN, INTERACTION):
        family = [effect for effect in effects_in(plan) if effect.kind == kind]
        lacks = [bool(values[list(one.weights)].isna().any(axis=None)) for one in family]
        whole = [one for one, gap in zip(family, lacks, strict=True) if not gap]
        together = _judged(plan, runs, whole, values)
        alone = (_judged(plan, runs, [one], values)[0] for one in family if one not in whole)
        by_name = {one.name: one for one in (*together, *alone)}
        found += [by_name[one.name] for one in family]
    return found


def _judged(
    plan: Plan, runs: pd.DataFrame, family: list[Weighted], values: pd.DataFrame
) -> list[Effect]:
    """Estimate effects whose intervals hold together."""
    arms = [arm for arm in plan["arms"] if any(arm in effect.weights for effect in family)]
    table = values[arms].dropna().to_numpy(float)
    weights = tuple(tuple(one.weights.get(arm, 0.0) for arm in arms) for one in family)
    estimates = None
    if family and len(table) > 1:
        pilot = (plan.get("seeds_rule") or {}).get("pilot", len(table))
        estimates = judge_family(table.T, weights, pilot=min(pilot, len(table)))
    return [
        _effect(plan, runs, effect, table @ np.array(weights[i]), estimates, i)
        for i, effect in enumerate(family)
    ]


def _effect(
    plan: Plan,
    runs: pd.DataFrame,
    effect: Weighted,
    values: Array,
    estimates: Estimates | None,
    index: int,
) -> Effect:
    level, low, high, sd = 1 - plan["alpha"], None, None, None
    difference = float(values.mean()) if len(values) else None
    if estimates is not None and difference is not None:
        half, sd = float(estimates.half_width(level)[index]), float(estimates.sd[index])
        low, high = difference - half, difference + half
    reasons = "; ".join(_objections(plan, runs, effect, len(values), sd))
    verdict: str = Verdict.REFUSED
    if not reasons:
        assert low is not None and high is not None  # four seeds have an interval
        verdict = judge((low, high), metric=plan["metric"], maximise=plan.get("maximise"))
        if effect.kind == INTERACTION and verdict != Verdict.NOT_RESOLVED:
            verdict = INTERACTS
    return Effect(
        name=effect.name,
        kind=effect.kind,
        n=len(values),
        difference=difference,
        low=low,
        high=high,
        level=level,
        family_size=1 if estimates is None else len(estimates.sd),
        sd=sd,
        p_adjusted=estimates.p_adjusted[index] if estimates else None,
        verdict=verdict,
        reason=reasons or None,
        aliases=effect.aliases,
    )


def _objections(
    plan: Plan, runs: pd.DataFrame, effect: Weighted, n: int, sd: float | None
) -> Iterator[str]:
    """Say each reason for which no verdict on an effect may be given."""
    ours = report_runs(runs[runs["arm"].isin(list(effect.weights))])
    for arm in effect.weights:
        if why := tuning_objection(plan, arm):
            yield why
        if missing := lacking(plan, ours, arm):
            yield f"{arm} lacks {missing}"
    if usable(ours, plan["metric"])["environment"].nunique() > 1:
        yield "runs of different environments are not pooled"
    if n < LEAST_PAIRS:
        yield f"a verdict needs {LEAST_PAIRS} seeds, but there are {n}"
    elif not sd:
        yield "the seeds do not differ at all: without noise there is nothing to judge by"


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
    by_arm = seed_values(plan, runs, metric)
    values = by_arm.melt(ignore_index=False, value_name="value").dropna().reset_index()
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
    fit = ols(f"value ~ {' + '.join(sources.values())}", values).fit()
    if fit.df_resid < 1:
        return None
    table = anova_lm(fit)
    named = {term: source for source, term in sources.items()} | {"Residual": "residual"}
    table.index = [named[term] for term in table.index]
    return table.rename(columns={"PR(>F)": "p"})
