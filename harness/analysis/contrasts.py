"""An arm against another: the paired difference, its interval and the verdict."""

from dataclasses import dataclass

import pandas as pd

from harness.analysis.families import Family, Pair
from harness.analysis.intervals import (
    correlation,
    estimate,
    seeds_needed,
    sidak_level,
    smallest_detectable,
)
from harness.analysis.pairing import objections, pair_up
from harness.analysis.verdict import Verdict, judge
from harness.store.tables import Plan


@dataclass(frozen=True)
class Contrast:
    """An arm against another: the difference (arm minus baseline), and the verdict on it."""

    name: str
    arm: str
    baseline: str
    family: str
    n: int
    difference: float | None
    low: float | None
    high: float | None
    level: float
    """At which all intervals of the family hold together."""
    family_size: int
    sd: float | None
    """Of the paired differences."""
    rho: float | None
    """Correlation of the two arms over the seeds: what pairing gained."""
    verdict: Verdict
    reason: str | None
    """Why it was refused."""
    detectable: float | None
    """The smallest true difference that n pairs show with power 0.8."""
    seeds_needed: int | None
    """To show a difference of this size with power 0.8, if not resolved; None: over 200."""


def contrast_of(plan: Plan, runs: pd.DataFrame, pair: Pair, family: Family) -> Contrast:
    """Judge a pair as one of its family."""
    pairs = pair_up(plan, runs, pair, plan["metric"])
    together = 1 - plan["alpha"]
    level = sidak_level(together, len(family.pairs))
    found = estimate(pairs.differences, level)
    reason = "; ".join(objections(plan, runs, pair, found)) or None
    verdict = Verdict.REFUSED
    if reason is None:
        assert found.low is not None and found.high is not None  # four pairs have an interval
        verdict = judge(found.low, found.high, metric=plan["metric"])
    needed = None
    if verdict is Verdict.NOT_RESOLVED:
        needed = seeds_needed(found.mean or 0.0, found.sd or 0.0, level)
    return Contrast(
        name=pair.name,
        arm=pair.arm,
        baseline=pair.baseline,
        family=family.name,
        n=found.n,
        difference=found.mean,
        low=found.low,
        high=found.high,
        level=together,
        family_size=len(family.pairs),
        sd=found.sd,
        rho=correlation(pairs.arm, pairs.baseline),
        verdict=verdict,
        reason=reason,
        detectable=smallest_detectable(found.n, found.sd or 0.0, level),
        seeds_needed=needed,
    )
