"""Pairs of arms, estimated with the family that they are judged with."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.analysis.statistics.blocks import Estimates, judge_family
from harness.analysis.statistics.critical import Array
from harness.analysis.statistics.families import Family, Pair
from harness.analysis.statistics.intervals import correlation
from harness.analysis.statistics.power import Question
from harness.analysis.statistics.two_stage import stretched
from harness.analysis.statistics.verdict import Interval
from harness.analysis.verdicts.evaluation import PairedDocuments, pair_documents
from harness.store.tables import Plan

_EXACT = 1e-12
"""Of a value: differences between seeds that are only rounding."""


@dataclass(frozen=True)
class Judged:
    """A pair among those that are judged together."""

    family: Family
    pair: Pair
    values: pd.DataFrame
    """Of all arms of the family, at the seeds that all of them have."""
    estimates: Estimates | None
    """None below two seeds."""
    documents: PairedDocuments | None
    """None if their losses are not known."""

    @property
    def n(self) -> int:
        """How many pairs of seeds there are."""
        return len(self.values)

    @property
    def arm(self) -> "pd.Series[float]":
        """The arm's values."""
        return self.values[self.pair.arm]

    @property
    def baseline(self) -> "pd.Series[float]":
        """The values of what it is compared with."""
        return self.values[self.pair.baseline]

    @property
    def difference(self) -> float | None:
        """Arm minus baseline."""
        return float((self.arm - self.baseline).mean()) if self.n else None

    @property
    def rho(self) -> float | None:
        """Correlation of the two arms over the seeds."""
        return correlation(self.arm.tolist(), self.baseline.tolist())

    @property
    def is_constant(self) -> bool:
        """Whether the differences agree to rounding, so that they say nothing about noise."""
        sd, size = self.estimate("sd"), abs(self.difference or 0.0)
        return sd is not None and sd <= _EXACT * max(size, abs(float(self.arm.mean())))

    @property
    def seed_sd(self) -> float:
        """Of the values of an arm over the seeds, from both arms."""
        return math.sqrt((self.arm.var() + self.baseline.var()) / 2) if self.n > 1 else 0.0

    def estimate(self, what: str) -> float | None:
        """Return one of the estimates of this pair."""
        return None if self.estimates is None else float(getattr(self.estimates, what)[self.index])

    def interval(self, alpha: float) -> Interval | None:
        """Return the interval that holds together with those of the family."""
        return (
            None if self.estimates is None else self._around(self.estimates.half_width(1 - alpha))
        )

    def narrow_interval(self, alpha: float) -> Interval | None:
        """Return the interval for two one-sided tests."""
        return (
            None if self.estimates is None else self._around(self.estimates.half_of_narrow(alpha))
        )

    def question(self, alpha: float) -> Question | None:
        """Return what a number of seeds could show of this pair, were its noise as estimated."""
        if self.estimates is None:
            return None
        return Question(
            contrasts=self.family.contrasts,
            index=self.index,
            sds=tuple(self.estimates.sd.tolist()),
            alpha=alpha,
            evaluation_error=float(self.estimates.evaluation_error[self.index]),
            documents=self.documents.n if self.documents else 2,
        )

    def _around(self, half_widths: Array) -> Interval:
        assert self.difference is not None  # or there would be no estimates
        half = float(half_widths[self.index])
        return self.difference - half, self.difference + half

    @property
    def index(self) -> int:
        """Its place among them."""
        return self.family.pairs.index(self.pair)


def judge_pairs(
    plan: Plan, runs: pd.DataFrame, family: Family, values: pd.DataFrame, documents: pd.DataFrame
) -> Iterator[Judged]:
    """Estimate the pairs of a family.

    A pair that lacks a value will be refused, whatever the values: it is estimated on its own, so
    that there is a number to show, and those that are whole are judged without it.
    """
    values = values.reindex(plan["seeds"])
    lacking = {
        pair for pair in family.pairs if values[[pair.arm, pair.baseline]].isna().any(axis=None)
    }
    whole = replace(family, pairs=tuple(pair for pair in family.pairs if pair not in lacking))
    together = list(_together(plan, runs, whole, values, documents)) if whole.pairs else []
    found = {judged.pair: judged for judged in together}
    for pair in family.pairs:
        if pair in lacking:
            alone = replace(family, pairs=(pair,))
            yield from _together(plan, runs, alone, values, documents)
        else:
            yield found[pair]


def _together(
    plan: Plan, runs: pd.DataFrame, family: Family, values: pd.DataFrame, documents: pd.DataFrame
) -> Iterator[Judged]:
    values = values[family.arms].dropna()
    paired = [pair_documents(plan, runs, documents, values, pair) for pair in family.pairs]
    estimates = None
    if len(values) > 1:
        rule = plan.get("seeds_rule") or {}
        estimates = judge_family(
            values.to_numpy(float).T,
            family.contrasts,
            pilot=min(rule.get("pilot", len(values)), len(values)),
            evaluation_error=np.array([each.error if each else 0.0 for each in paired]),
            documents=min((each.n for each in paired if each), default=2),
        )
        if len(values) > rule.get("pilot", len(values)):
            estimates = stretched(estimates, plan["alpha"], rule["resolve"])
    for pair, each in zip(family.pairs, paired, strict=True):
        yield Judged(family, pair, values, estimates, each)
