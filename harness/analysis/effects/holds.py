"""Does a verdict hold? The contrasts of an experiment again, under each of its conditions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.statistics.intervals import LEAST_PAIRS, Estimate, estimate
from harness.analysis.statistics.values import seed_values
from harness.analysis.verdicts.compare import Comparison
from harness.analysis.verdicts.contrasts import Contrast
from harness.store.tables import Plan


@dataclass(frozen=True)
class Under:
    """An experiment of a file: the main one, or that of a condition."""

    kind: str
    name: str
    plan: Plan
    runs: pd.DataFrame
    comparison: Comparison


@dataclass(frozen=True)
class Held:
    """A contrast under a condition, beside the same contrast of the main experiment."""

    kind: str
    condition: str
    name: str
    arm: str
    baseline: str
    n: int
    difference: float | None
    low: float | None
    high: float | None
    verdict: str
    reason: str | None
    change: Estimate | None
    """The difference here less that of the main experiment, over the seeds that both have; the
    intervals of all contrasts and conditions of a kind hold together. Not of fresh seeds."""
    holds: str
    """What became of the main verdict, in words."""


def held(main: Under, others: Sequence[Under]) -> list[Held]:
    """Look at each contrast of the main experiment under each condition that has been run.

    How much an effect has changed is estimated within seeds, as everything else: designs may share
    runs (an arm that no rule changes), and at another size or budget a seed is still the same order
    of batches. Where seeds bring nothing in common, pairing costs degrees of freedom, and the
    interval stays true; one for independent samples would not where they do.
    """
    contrasts = main.comparison.contrasts
    found: list[Held] = []
    for other in others:
        theirs = {(c.arm, c.baseline): c for c in other.comparison.contrasts}
        n_changes = len(contrasts) * sum(one.kind == other.kind for one in others)
        for contrast in contrasts:
            again = theirs.get((contrast.arm, contrast.baseline))
            if again is not None:
                change = _change(main, other, contrast, n_changes)
                found.append(_held(other, contrast, again, change))
    return found


def effect_by_seed(plan: Plan, runs: pd.DataFrame, arm: str, baseline: str) -> pd.Series:
    """Return the difference of two arms at each seed that both have."""
    both = seed_values(plan, runs, plan["metric"])[[arm, baseline]].dropna()
    return both[arm] - both[baseline]


def _change(main: Under, other: Under, contrast: Contrast, n_changes: int) -> Estimate | None:
    pair = contrast.arm, contrast.baseline
    here, there = (effect_by_seed(under.plan, under.runs, *pair) for under in (other, main))
    change = (here - there).dropna()
    if other.kind == "confirm" or len(change) < LEAST_PAIRS:
        return None
    # Šidák, "Rectangular confidence regions", JASA 62 (1967) 626-633: at most as often wrong
    return estimate(change.tolist(), (1 - main.plan["alpha"]) ** (1 / n_changes))


def _held(other: Under, contrast: Contrast, again: Contrast, change: Estimate | None) -> Held:
    return Held(
        kind=other.kind,
        condition=other.name,
        name=contrast.name,
        arm=contrast.arm,
        baseline=contrast.baseline,
        n=again.n,
        difference=again.difference,
        low=again.low,
        high=again.high,
        verdict=str(again.verdict),
        reason=again.reason,
        change=change,
        holds=_in_words(other.kind, direction(contrast), again),
    )


def direction(contrast: Contrast) -> int:
    """Return the sign of a difference whose interval excludes 0, else 0; a refused one has none."""
    if contrast.reason is not None or contrast.low is None or contrast.high is None:
        return 0
    return int(contrast.low > 0) - int(contrast.high < 0)


def _in_words(kind: str, claimed: int, again: Contrast) -> str:
    found = direction(again)
    if again.reason is not None:
        return "refused"
    if not claimed:
        return "resolved here" if found else "not resolved either"
    if found == claimed:
        return "confirmed" if kind == "confirm" else "holds"
    if found == -claimed:
        return "contradicted" if kind == "confirm" else "reversed"
    if kind == "confirm":
        return "not confirmed"
    same = np.sign(again.difference or 0.0) == claimed
    return "same sign, not resolved" if same else "other sign, not resolved"


def budget_notes(main: Under, found: Sequence[Held]) -> Iterator[str]:
    """Say of each claim about an architecture whether its sign is the same at other budgets.

    Source:
        Effects change sign with the budget: +27 % at 1M tokens and -19 % at 118M for the same
        change, arXiv:2604.23434.
    """
    for contrast in main.comparison.contrasts:
        arm, baseline = (main.plan["arms"][name] for name in (contrast.arm, contrast.baseline))
        pair = contrast.arm, contrast.baseline
        tested = [h for h in found if h.kind == "budget" and (h.arm, h.baseline) == pair]
        about_architecture = arm.get("variant") != baseline.get("variant")
        if tested and about_architecture and direction(contrast):
            yield f"{contrast.arm} - {contrast.baseline} {_sign_words(contrast, tested)}"


def _sign_words(contrast: Contrast, tested: Sequence[Held]) -> str:
    claimed = direction(contrast)
    names = ["1x", *(one.condition for one in tested)]
    signs = [np.sign(one.difference or 0.0) for one in tested]
    if all(sign == claimed for sign in signs):
        resolved = 1 + sum(one.holds == "holds" for one in tested)
        return f"has the same sign at {', '.join(names)} of the budget ({resolved} resolved)"
    others = [one.condition for one, sign in zip(tested, signs, strict=True) if sign != claimed]
    return f"changes its sign with the budget: not the same at {', '.join(others)} as at 1x"


def settings_of_scales(main: Plan, scales: Sequence[Mapping[str, Any]]) -> str:
    """Say how learning rates were chosen at each size: what makes sizes comparable."""
    plans = [main, *scales]
    if all(plan.get("tune") for plan in plans):
        return "each size is tuned by itself"
    widths = {_base_width(arm) for plan in plans for arm in plan["arms"].values()}
    if len(widths) == 1 and (width := widths.pop()) is not None:
        return f"rates are carried over from width {width} by muP (not over depth)"
    return "rates are as written at each size: neither tuned there nor carried over by muP"


def _base_width(arm: Mapping[str, Any]) -> int | None:
    return arm.get("variant", {}).get("mup_base_width")
