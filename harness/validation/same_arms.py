"""A variant against itself: verdicts of small trainings that differ in their seeds alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy import stats

from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.contrasts import Contrast
from harness.store.tables import Plan
from harness.validation.finding import Finding, Outcome

PAIRS = 4
"""Seeds of an arm: the fewest that have a verdict."""
ARMS = ("first", "second")
CHANCE = 0.01
"""Of rejecting a sound harness, for each of the two tests."""


@dataclass(frozen=True)
class SameArms:
    """Verdicts on experiments in which nothing differs, from runs that none of them shares."""

    contrasts: Sequence[Contrast]
    alpha: float

    @property
    def judged(self) -> list[Contrast]:
        """Those that have a verdict."""
        return [contrast for contrast in self.contrasts if contrast.reason is None]

    @property
    def n_claims(self) -> int:
        """How many of them claim a difference."""
        return sum(contrast.is_resolved for contrast in self.contrasts)

    @property
    def most_claims(self) -> int:
        """How many claims are likely by chance: the 99 % quantile of the binomial."""
        return int(stats.binom.ppf(1 - CHANCE, len(self.judged), self.alpha))

    @property
    def uniformity(self) -> float:
        """The p of a Kolmogorov-Smirnov test of the contrasts' p against a uniform one."""
        p_values = [c.p_adjusted for c in self.judged if c.p_adjusted is not None]
        return float(stats.kstest(p_values, "uniform").pvalue)

    @property
    def outcome(self) -> Outcome:
        """Whether there are more claims than chance makes, or p that are not uniform."""
        if len(self.judged) < len(self.contrasts) or not self.contrasts:
            return Outcome.NOT_RESOLVED
        sound = self.n_claims <= self.most_claims and self.uniformity > CHANCE
        return Outcome.AS_EXPECTED if sound else Outcome.OPPOSITE

    def __str__(self) -> str:
        if len(self.judged) < len(self.contrasts) or not self.contrasts:
            return f"{len(self.judged)} of {len(self.contrasts)} experiments have a verdict"
        claims = f"{self.n_claims} of {len(self.contrasts)} claim a difference"
        return f"{claims} (at most {self.most_claims}); p uniform: p = {self.uniformity:.2f}"


def compare_same_arms(plan: Plan, runs: pd.DataFrame) -> SameArms:
    """Deal the runs of an experiment with one arm into experiments of two, and judge each.

    Seeds differ, so what is paired has nothing in common: the correlation of the arms is about 0.
    """
    ((name, arm),) = plan["arms"].items()
    contrasts = []
    for seeds in _dealt(plan["seeds"]):
        dealt = [
            run | {"arm": ARMS[i // PAIRS], "seed": i % PAIRS}
            for i, seed in enumerate(seeds)
            for run in runs[(runs["arm"] == name) & (runs["seed"] == seed)].to_dict("records")
        ]
        question: dict[str, Any] = {
            **plan,
            "arms": dict.fromkeys(ARMS, arm),
            "baseline": ARMS[0],
            "contrasts": {},
            "seeds": list(range(PAIRS)),
            "runs": [_planned(run) for run in dealt],
        }
        contrasts += compare(question, pd.DataFrame(dealt, columns=runs.columns)).contrasts
    return SameArms(contrasts, plan["alpha"])


def _dealt(seeds: Sequence[int]) -> Iterator[Sequence[int]]:
    size = PAIRS * len(ARMS)
    for start in range(0, len(seeds) - size + 1, size):
        yield seeds[start : start + size]


def _planned(run: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("arm", "seed", "replica", "run_id", "environment")
    return {key: run[key] for key in keys}


def same_arms_finding(found: SameArms) -> Finding:
    """Hold them against what chance does."""
    return Finding(
        name="same arms",
        question="Does a variant differ from itself?",
        expected=f"claims as often as alpha says ({found.alpha:.0%})",
        source="nothing differs but the seed",
        found=str(found),
        outcome=found.outcome,
    )
