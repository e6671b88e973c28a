"""The margin within which a difference makes none in practice: declared, or what compute buys."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.statistics.intervals import LEVEL_OF_MEANS, estimate
from harness.analysis.statistics.values import seed_values, usable
from harness.analysis.statistics.verdict import is_maximised
from harness.store.tables import Plan

COMPUTE = 0.05
"""The share of compute that is no difference in practice."""


@dataclass(frozen=True)
class Margin:
    """A margin in units of the metric; `n` is of the seeds it was measured with, if it was."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def is_measured(self) -> bool:
        """Whether it is the loss that 5 % of compute buys, and not declared."""
        return self.n is not None


def margin_of(plan: Plan, runs: pd.DataFrame) -> Margin | None:
    """Return the margin of a plan; None if it has none, or `auto` cannot be told yet."""
    practical = plan.get("practical")
    if practical is None:
        return None
    return measured_margin(plan, runs) if practical == "auto" else Margin(float(practical))


def measured_margin(plan: Plan, runs: pd.DataFrame) -> Margin | None:
    """Return the loss that 5 % of compute buys: None if it was not measured, or buys nothing.

    The baseline is trained with half of its budget as well (runs whose `purpose` is `slope`), with
    the same seeds: the loss falls by `slope` for each unit of the logarithm of compute, and
    therefore by `slope * ln 1.05` for 5 %.
    """
    if "purpose" not in runs:
        return None
    baseline, metric = plan["baseline"], plan["metric"]
    slope_runs = runs[(runs["purpose"] == "slope") & (runs["arm"] == baseline)]
    with_less = usable(slope_runs, metric)
    with_all = with_less["seed"].map(seed_values(plan, runs, metric)[baseline].to_dict())
    gained = (with_all - with_less[metric]).to_numpy(float) * (1 if is_maximised(metric) else -1)
    slopes = gained / -np.log(with_less["budget_share"].to_numpy(float))
    by_seed = pd.Series(slopes * math.log1p(COMPUTE)).groupby(with_less["seed"].to_numpy()).mean()
    found = estimate(by_seed.dropna().tolist(), LEVEL_OF_MEANS)
    if found.mean is None or found.mean <= 0:
        return None
    return Margin(found.mean, found.low, found.high, found.n)
