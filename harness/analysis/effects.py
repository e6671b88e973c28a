"""What each factor of a design does on average, and how much two of them depend on each other.

An effect has one value a seed: the weighted sum of the arms at that seed. So seeds are blocks, what
the arms of a seed share cancels, and the interval is a paired t interval, as of a contrast; those
of the main effects hold together, and so do those of the interactions (Šidák). Nothing is assumed
of the variances of arms.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.designed import INTERACTION, MAIN, Weighted, effects_in, is_crossed, levels_of
from harness.analysis.intervals import LEAST_PAIRS, estimate, sidak_level
from harness.analysis.pairing import lacking
from harness.analysis.tuning import tuning_objection
from harness.analysis.values import report_runs, seed_values, usable
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
    sizes = {kind: sum(one.kind == kind for one in found) for kind in (MAIN, INTERACTION)}
    return [_estimated(plan, runs, one, sizes[one.kind]) for one in found]


def _estimated(plan: Plan, runs: pd.DataFrame, effect: Weighted, family_size: int) -> Effect:
    together, metric, arms = 1 - plan["alpha"], plan["metric"], list(effect.weights)
    ours = report_runs(runs[runs["arm"].isin(arms)])
    complete = seed_values(plan, runs, metric)[arms].dropna()
    values = complete.to_numpy(dtype=float) @ np.array(list(effect.weights.values()))
    estimated = estimate(values, sidak_level(together, family_size))
    reasons = [why for arm in arms if (why := tuning_objection(plan, arm))]
    reasons += [f"{arm} lacks {what}" for arm in arms if (what := lacking(plan, ours, arm))]
    if usable(ours, metric)["environment"].nunique() > 1:
        reasons.append("runs of different environments are not pooled")
    if estimated.n < LEAST_PAIRS:
        reasons.append(f"a verdict needs {LEAST_PAIRS} seeds, but there are {estimated.n}")
    elif estimated.is_constant and estimated.mean:
        reasons.append("the seeds do not differ at all")
    return Effect(
        name=effect.name,
        kind=effect.kind,
        n=estimated.n,
        difference=estimated.mean,
        low=estimated.low,
        high=estimated.high,
        level=together,
        family_size=family_size,
        sd=estimated.sd,
        verdict=Verdict.REFUSED
        if reasons
        else _verdict(plan, effect, estimated.low, estimated.high),
        reason="; ".join(reasons) or None,
        aliases=effect.aliases,
    )


def _verdict(plan: Plan, effect: Weighted, low: float | None, high: float | None) -> str:
    assert low is not None and high is not None  # four seeds have an interval
    judged = judge(low, high, metric=plan["metric"])
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
