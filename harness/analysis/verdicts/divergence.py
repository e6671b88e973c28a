"""Divergence as an outcome: how many runs of two arms diverged, and whether that is chance."""

from dataclasses import dataclass

import pandas as pd
from scipy import special

from harness.analysis.statistics.families import Pair
from harness.analysis.statistics.values import report_runs
from harness.store.status import Status


@dataclass(frozen=True)
class Diverged:
    """How many of an arm's seeds diverged, and of the baseline's, of those that have ended."""

    k_arm: int
    n_arm: int
    k_base: int
    n_base: int
    p: float
    """Of so unlike counts or more unlike ones, if both arms diverge equally often."""


def diverged(runs: pd.DataFrame, pair: Pair) -> Diverged | None:
    """Count the seeds with a run that diverged; None if there is none."""
    runs = report_runs(runs)
    ended = runs[runs["status"].isin([Status.DONE, Status.DIVERGED])]
    by_seed = (ended["status"] == Status.DIVERGED).groupby([ended["arm"], ended["seed"]]).any()
    counts = [
        (int(seeds.sum()), len(seeds))
        for arm in (pair.arm, pair.baseline)
        for seeds in [by_seed[by_seed.index.get_level_values("arm") == arm]]
    ]
    of_arm, of_baseline = counts
    if not of_arm[0] + of_baseline[0]:
        return None
    return Diverged(*of_arm, *of_baseline, exact_p(*of_arm, *of_baseline))


def exact_p(k: int, n: int, of_k: int, of_n: int) -> float:
    """Return the two-sided p of Fisher's exact test on k of n against `of_k` of `of_n`.

    Seeds are not paired here: McNemar's test on five pairs cannot go below 0.06, and arms that tend
    to diverge at the same seeds make Fisher's err on the safe side.

    Source: R. A. Fisher, "Statistical Methods for Research Workers", 5th edition (1934), § 21.02.
    """
    total = k + of_k
    possible = range(max(0, total - of_n), min(total, n) + 1)
    chances = {i: special.binom(n, i) * special.binom(of_n, total - i) for i in possible}
    seen = chances[k] * (1 + 1e-9)  # equal ones may differ in the last bits
    return float(sum(c for c in chances.values() if c <= seen) / sum(chances.values()))
