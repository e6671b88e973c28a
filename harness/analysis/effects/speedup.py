"""How soon an arm reaches the loss that another one ends at."""

import math
from collections.abc import Iterable, Iterator

import pandas as pd

from harness.analysis.statistics.intervals import LEVEL_OF_MEANS, Estimate, estimate

UNITS = {"step": "steps", "tokens": "tokens", "flops": "FLOPs", "seconds": "seconds"}


def spent_until(curve: pd.DataFrame, metric: str, target: float, unit: str = "step") -> float:
    """Return how much of `unit` a run had spent when it first reached a loss, NaN if never.

    Between two evaluations, of which the first is above the target and the second is not, the loss
    is taken to fall in a line.
    """
    points = curve.dropna(subset=[metric]).sort_values("step")
    losses, spent = points[metric].tolist(), points[unit].tolist()
    reached = [i for i, loss in enumerate(losses) if loss <= target]
    if not reached:
        return math.nan
    i = reached[0]
    if i == 0:
        return float(spent[0])
    share = (losses[i - 1] - target) / (losses[i - 1] - losses[i])
    return float(spent[i - 1] + share * (spent[i] - spent[i - 1]))


def shares_spent(
    curves: pd.DataFrame, arm: str, against: str, metric: str, unit: str = "step"
) -> pd.Series:
    """Return, by seed, what an arm spends until it has the last loss of another, as a share.

    1 is all that the other one has spent; NaN says that the arm never gets there.
    """
    shares = {}
    for seed in curves["seed"].unique():
        ours, theirs = (
            curves[(curves["seed"] == seed) & (curves["arm"] == name)] for name in (arm, against)
        )
        ends = theirs.dropna(subset=[metric]).sort_values("step")
        if len(ends) and len(ours):
            last = ends.iloc[-1]
            shares[seed] = spent_until(ours, metric, last[metric], unit) / last[unit]
    return pd.Series(shares, dtype="float64")


def speedup(curves: pd.DataFrame, arm: str, against: str, metric: str, unit: str) -> Estimate:
    """Return the mean share over the seeds that get there, with its 95 % interval."""
    shares = shares_spent(curves, arm, against, metric, unit).dropna()
    return estimate(shares.tolist(), LEVEL_OF_MEANS)


def speedup_lines(
    pairs: Iterable[tuple[str, str]], curves: pd.DataFrame, metric: str, unit: str
) -> Iterator[str]:
    """Say of each arm and what it is compared with how soon it is where the other one ends.

    Losses on the way are those of a rate that has not decayed yet: a run of that budget would end
    lower, so that shares are too large; decayed losses are compared by
    `harness.analysis.effects.multiplier`.
    """
    for arm, against in pairs:
        shares = shares_spent(curves, arm, against, metric, unit)
        found = speedup(curves, arm, against, metric, unit)
        goal = f"the last {metric} of {against}"
        if found.mean is None:
            yield f"{arm} never reaches {goal}"
            continue
        spread = f" ({found.low:.0%} to {found.high:.0%})" if found.low is not None else ""
        never = f"; {shares.isna().sum()} of {len(shares)} never" if shares.isna().any() else ""
        amount = f"{found.mean:.0%}{spread} of its {UNITS[unit]}, undecayed"
        yield f"{arm} reaches {goal} after {amount}, n = {found.n}{never}"
