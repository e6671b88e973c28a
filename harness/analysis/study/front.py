"""The best of a study: one trial, or with several objectives those that no other one dominates."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.study.objectives import Objective, minimised


def finished(trials: pd.DataFrame, looked_for: Sequence[Objective]) -> pd.DataFrame:
    """Return the trials that count: feasible, trained to the end, every objective known.

    A duplicate is the same run once more, and does not count twice.
    """
    known = trials[[one.column for one in looked_for]].notna().all(axis=1)
    return trials[(trials["status"] == "done") & known]


def front(trials: pd.DataFrame, looked_for: Sequence[Objective]) -> pd.DataFrame:
    """Return the best trial, the first of equals; of several objectives the Pareto front.

    These are single runs: unlike `harness.analysis.effects.pareto`, which compares arms over seeds,
    this says what was best, and not whether it would be best again. Sorted by the first objective,
    best first.
    """
    known = finished(trials, looked_for)
    values = minimised(known, looked_for)
    if len(looked_for) == 1:
        return known.iloc[np.argsort(values[:, 0], kind="stable")[:1]]
    on_it = known[is_on_front(values)]
    first = minimised(on_it, looked_for)[:, 0]
    return on_it.iloc[np.argsort(first, kind="stable")]


def is_on_front(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say of each row whether no other one is as good in every column and better in one."""
    as_good = np.all(values[None] <= values[:, None], axis=2)
    better = np.any(values[None] < values[:, None], axis=2)
    return ~np.any(as_good & better, axis=1)


def best_so_far(trials: pd.DataFrame, objective: Objective) -> pd.DataFrame:
    """Return the trials that count in the order in which they ended, with the `best` until then."""
    known = finished(trials, [objective]).sort_values("ended_as")
    values = known[objective.column]
    return known.assign(best=values.cummax() if objective.maximise else values.cummin())
