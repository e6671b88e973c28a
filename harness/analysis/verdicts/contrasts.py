"""An arm against another: the paired difference, its intervals and the verdict."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from harness.analysis.statistics.verdict import Interval, Verdict, judge
from harness.analysis.verdicts.divergence import Diverged, diverged
from harness.analysis.verdicts.judged import Judged
from harness.analysis.verdicts.margin import Margin
from harness.analysis.verdicts.pairing import objections
from harness.store.tables import Plan

TOO_GOOD = 10
"""Standard deviations of the arms' seeds, beyond which a difference is looked at for a leak."""
_BOOTSTRAP_LEVEL = 0.95


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
    p_adjusted: float | None
    """Below `1 - level` exactly where the interval excludes 0."""
    margin: float | None
    """The largest difference that makes none in practice."""
    narrow_low: float | None
    """The interval at `narrow_level`: within the margin, the arms are practically equal."""
    narrow_high: float | None
    narrow_level: float
    """`1 - 2 alpha`: two one-sided tests at alpha."""
    detectable: float | None
    """The smallest true difference that n pairs show with power 0.8."""
    seeds_needed: int | None
    """To show a difference of this size, or of the margin if that is larger, with power 0.8, if not
    resolved; None: over 200."""
    runs_needed: int | None
    """Of both arms, beyond those there are."""
    tokens_needed: int | None
    """To train those."""
    seconds_needed: float | None
    """The same, one after the other."""
    method: Literal["own", "moderated"]
    """Whose variance: the contrast's own, or drawn by a third towards the mean of its family."""
    seed_error: float | None
    """Standard error by the seeds."""
    evaluation_error: float | None
    """Standard error by the choice of held-out documents; None: their losses are not known."""
    bootstrap: Interval | None
    """95 % of the differences over resampled seeds and documents: a check, without a correction
    for few seeds or several contrasts."""
    diverged: Diverged | None
    suspicious: bool
    """So large, over 10 standard deviations of the arms' seeds, that a leak is looked for."""
    labels: tuple[str, ...] = ()
    """What is to be known of the claim."""

    @property
    def is_resolved(self) -> bool:
        """Whether its interval tells a direction."""
        return self.verdict in (Verdict.BETTER, Verdict.WORSE, Verdict.TRIVIAL)


def contrast_of(
    plan: Plan, runs: pd.DataFrame, documents: pd.DataFrame, judged: Judged, margin: Margin | None
) -> Contrast:
    """Judge a pair that was estimated with its family."""
    pair, alpha = judged.pair, plan["alpha"]
    interval, narrow = judged.interval(alpha), judged.narrow_interval(alpha)
    reason = "; ".join(objections(plan, runs, documents, judged)) or None
    limit, verdict = margin.value if margin else None, Verdict.REFUSED
    if reason is None:
        assert interval and narrow  # four pairs have intervals
        verdict = judge(
            interval,
            metric=plan["metric"],
            margin=limit,
            narrow=narrow,
            maximise=plan.get("maximise"),
        )
    question = judged.question(alpha)
    needed = None
    if verdict is Verdict.NOT_RESOLVED and question:
        needed = question.seeds_needed(max(limit or 0.0, abs(judged.difference or 0.0)))
    more = None if needed is None else 2 * max(needed - judged.n, 0)
    p_values = judged.estimates.p_adjusted if judged.estimates else None
    return Contrast(
        name=pair.name,
        arm=pair.arm,
        baseline=pair.baseline,
        family=judged.family.name,
        n=judged.n,
        difference=judged.difference,
        low=interval and interval[0],
        high=interval and interval[1],
        level=1 - alpha,
        family_size=len(judged.family.pairs),
        sd=judged.estimate("sd"),
        rho=judged.rho,
        verdict=verdict,
        reason=reason,
        p_adjusted=p_values[judged.index] if p_values else None,
        margin=limit,
        narrow_low=narrow and narrow[0],
        narrow_high=narrow and narrow[1],
        narrow_level=1 - 2 * alpha,
        detectable=question.smallest_detectable(judged.n) if question else None,
        seeds_needed=needed,
        runs_needed=more,
        tokens_needed=_whole(_times(more, _typical(runs, judged, "tokens"))),
        seconds_needed=_times(more, _typical(runs, judged, "seconds")),
        method="own" if len(judged.family.pairs) == 1 else "moderated",
        seed_error=judged.estimate("seed_error"),
        evaluation_error=judged.estimate("evaluation_error") if judged.documents else None,
        bootstrap=judged.documents.bootstrap(_BOOTSTRAP_LEVEL) if judged.documents else None,
        diverged=diverged(runs, pair),
        suspicious=abs(judged.difference or 0.0) > TOO_GOOD * judged.seed_sd > 0,
    )


def _typical(runs: pd.DataFrame, judged: Judged, column: str) -> float | None:
    """Return the median over the runs of both arms; tables of earlier versions lack some."""
    if column not in runs:
        return None
    ours = runs[runs["arm"].isin([judged.pair.arm, judged.pair.baseline])][column].dropna()
    return float(ours.median()) if len(ours) else None


def _times(count: int | None, each: float | None) -> float | None:
    return None if count is None or each is None else count * each


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)
