"""How much seeds differ, from what is in the store, to tell beforehand what a plan can show."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from harness.analysis.statistics.families import families
from harness.analysis.statistics.values import seed_values
from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.contrasts import Contrast
from harness.store.experiments import ExperimentTables
from harness.store.tables import Plan

LEAST_PAIRS_FOR_RHO = 20
"""Of fewer the correlation is too uncertain to be counted on: it is taken as 0."""


@dataclass(frozen=True)
class History:
    """The spread over seeds of the arms of earlier experiments like a planned one."""

    seed_sd: float | None = None
    """Within an arm; None: not known."""
    n_runs: int = 0
    rho: float = 0.0
    """Of two arms over their seeds."""
    n_pairs: int = 0
    earlier: Mapping[tuple[str, str], Contrast] = field(default_factory=dict)
    """The contrasts of this very experiment, as last collected."""
    margin: float | None = None
    """As it measured it."""

    @property
    def paired_sd(self) -> float | None:
        """Of the difference of two arms at a seed."""
        return None if self.seed_sd is None else self.seed_sd * math.sqrt(2 * (1 - self.rho))


def history_of(plan: Plan, stored: Iterable[ExperimentTables]) -> History:
    """Collect what the store says about seeds: experiments on the same corpus, by the same metric.

    Variances and covariances are pooled over the arms and pairs of all of them. The correlation
    counts from 20 pairs of seeds on.
    """
    alike = [one for one in stored if _kind(one.plan) == _kind(plan)]
    squares = covariances = scales = 0.0
    df = n_runs = n_pairs = 0
    for one in alike:
        values = seed_values(one.plan, one.runs, one.plan["metric"])
        for arm in values:
            seen = values[arm].dropna()
            n_runs += len(seen)
            df += max(len(seen) - 1, 0)
            squares += float(((seen - seen.mean()) ** 2).sum())
        for family in families(one.plan):
            for pair in family.pairs:
                both = values[[pair.arm, pair.baseline]].dropna()
                if len(both) > 1:
                    n_pairs += len(both)
                    covariances += _sum_of_products(both[pair.arm], both[pair.baseline])
                    scales += math.sqrt(
                        _sum_of_products(both[pair.arm], both[pair.arm])
                        * _sum_of_products(both[pair.baseline], both[pair.baseline])
                    )
    counts = n_pairs >= LEAST_PAIRS_FOR_RHO and scales > 0
    itself = next((one for one in alike if one.plan["name"] == plan["name"]), None)
    found = compare(itself.plan, itself.runs, itself.documents) if itself else None
    return History(
        seed_sd=math.sqrt(squares / df) if df and squares else None,
        n_runs=n_runs,
        rho=float(np.clip(covariances / scales, 0.0, 0.99)) if counts else 0.0,
        n_pairs=n_pairs,
        earlier={(c.arm, c.baseline): c for c in found.contrasts} if found else {},
        margin=found.margin.value if found and found.margin else None,
    )


def _kind(plan: Plan) -> tuple[object, object]:
    """What experiments have to share for their seeds to differ alike, roughly."""
    data = plan["arms"][plan["baseline"]].get("data", {})
    # what training evaluates and what is kept for a report are alike: documents of one corpus
    return plan["metric"].removeprefix("report/"), data.get("corpus")


def _sum_of_products(a: "pd.Series[float]", b: "pd.Series[float]") -> float:
    return float(((a - a.mean()) * (b - b.mean())).sum())
