"""The compute multiplier: how much less compute the better arm needs for the other one's loss.

Between the amounts of compute that were run, the loss of an arm is taken to fall in a line over the
logarithm of compute. For a multiplier m, the loss of the better arm at 1/m of the other one's
compute, less the other one's loss, has a value at each seed; m is in the interval if a t test of
these values does not tell them from 0. At m = 1 (and equal compute) that is the paired test of the
contrast: the interval excludes 1 exactly where a plain interval of the difference excludes 0.

Source: E. C. Fieller, "Some problems in interval estimation", J. R. Stat. Soc. B 16 (1954) 175-185,
for intervals by inverting a t test of a linear form. Compute is taken as known: its mean over runs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.analysis.effects.decayed import Decayed
from harness.analysis.statistics.intervals import LEAST_PAIRS
from harness.analysis.statistics.verdict import is_maximised

Floats = NDArray[np.float64]
BEYOND = 2.0
"""How far beyond the amounts of compute that were run a line is followed."""
_GRID = 4001


@dataclass(frozen=True)
class Multiplier:
    """Of two arms, with its interval; what lies beyond what was run is None and has a bound."""

    better: str
    other: str
    unit: str
    source: str
    n: int
    n_points: int
    estimate: float | None
    low: float | None
    """None: below `least`."""
    high: float | None
    """None: above `most`."""
    least: float
    most: float
    reason: str | None
    """Why there is none."""


def multiplier(points: Decayed, arm: str, baseline: str, unit: str, level: float) -> Multiplier:
    """Compare two arms; the better one is the one with the better mean at the whole budget."""
    sign = -1.0 if is_maximised(points.metric) else 1.0
    tables = [table[[arm, baseline]].dropna() for table in points.values]
    seeds = sorted(set.intersection(*(set(table.index) for table in tables)))
    ends = tables[-1].loc[seeds].mean() * sign
    better, other = (baseline, arm) if ends[baseline] < ends[arm] else (arm, baseline)
    losses = sign * np.array([table.loc[seeds, better] for table in tables], dtype=float)
    target = sign * tables[-1].loc[seeds, other].to_numpy(dtype=float)
    spent = points.spent[unit]
    compute = spent[better].to_numpy(dtype=float)
    whole = float(spent[other].iloc[-1])
    least, most = whole / (compute.max() * BEYOND), whole / (compute.min() / BEYOND)
    reason = _objection(len(seeds), losses, better)
    found: tuple[float | None, float | None, float | None] = None, None, None
    if reason is None:
        grid = np.geomspace(least, most, _GRID)
        found = _inverted(grid, _losses_at(whole / grid, compute, losses) - target[:, None], level)
    estimate, low, high = found
    return Multiplier(
        better=better,
        other=other,
        unit=unit,
        source=points.source,
        n=len(seeds),
        n_points=len(compute),
        estimate=estimate,
        low=low,
        high=high,
        least=least,
        most=most,
        reason=reason,
    )


def _objection(n_seeds: int, losses: Floats, better: str) -> str | None:
    if n_seeds < LEAST_PAIRS:
        return f"it needs {LEAST_PAIRS} seeds at every amount of compute, but there are {n_seeds}"
    if not (np.diff(losses.mean(axis=1)) < 0).all():
        return f"more compute does not improve {better}: there is no line to read"
    return None


def _losses_at(compute: Floats, known: Floats, losses: Floats) -> Floats:
    """Read each seed's losses (point, seed) at any compute: lines between points, and beyond."""
    x, points = np.log(compute), np.log(known)
    segment = np.clip(np.searchsorted(points, x) - 1, 0, len(points) - 2)
    share = (x - points[segment]) / (points[segment + 1] - points[segment])
    return ((1 - share)[:, None] * losses[segment] + share[:, None] * losses[segment + 1]).T


def _inverted(
    grid: Floats, excess: Floats, level: float
) -> tuple[float | None, float | None, float | None]:
    """Return where the mean excess loss (seed, grid) is 0, and where it is not told from 0."""
    n = len(excess)
    mean, error = excess.mean(axis=0), excess.std(axis=0, ddof=1) / np.sqrt(n)
    critical = float(special.stdtrit(n - 1, (1 + level) / 2))
    # a larger multiplier is less compute, so that the excess rises from the left to the right
    low = _crossing(grid, mean + critical * error)
    # lines followed beyond what was run grow less certain, and what was excluded may come back:
    # the interval goes to the last multiplier that is not excluded
    high = _crossing(grid[::-1], (critical * error - mean)[::-1])
    return _crossing(grid, mean), low, high


def _crossing(grid: Floats, rising: Floats) -> float | None:
    """Return where a curve first rises above 0; None if that is not within the grid."""
    above = np.flatnonzero(rising > 0)
    if not len(above) or above[0] == 0:
        return None
    i = above[0]
    share = -rising[i - 1] / (rising[i] - rising[i - 1])
    x = np.log(grid)
    return float(np.exp(x[i - 1] + share * (x[i] - x[i - 1])))
