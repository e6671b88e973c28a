"""How much of the space of objectives a front dominates, and how that grew."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.study.front import finished, is_on_front
from harness.analysis.study.objectives import Objective, minimised

_BEYOND = 0.1

Points = NDArray[np.float64]


def reference_point(trials: pd.DataFrame, looked_for: Sequence[Objective]) -> list[float] | None:
    """Return the point up to which a front is measured; None before a trial is done.

    In each objective a tenth of the range beyond the worst trial that counts, so that the ends of
    the front count too. It depends on the trials: volumes of two studies compare only when both are
    taken against one point.
    """
    values = minimised(finished(trials, looked_for), looked_for)
    if not len(values):
        return None
    worst, ranges = values.max(axis=0), np.ptp(values, axis=0)
    beyond = np.where(ranges > 0, ranges, np.maximum(np.abs(worst), 1.0))
    signs = np.array([-1.0 if one.maximise else 1.0 for one in looked_for])
    return (signs * (worst + _BEYOND * beyond)).tolist()


def hypervolume_of(
    trials: pd.DataFrame, looked_for: Sequence[Objective], reference: Sequence[float]
) -> float:
    """Return the volume that the trials that count dominate up to a point."""
    return hypervolume(*_signed(finished(trials, looked_for), looked_for, reference))


def hypervolume_history(
    trials: pd.DataFrame, looked_for: Sequence[Objective], reference: Sequence[float]
) -> pd.DataFrame:
    """Return the trials that count as they ended, with the `hypervolume` of all until then."""
    known = finished(trials, looked_for).sort_values("ended_as")
    points, corner = _signed(known, looked_for, reference)
    volumes: list[float] = []
    best = points[:0]
    for point in points:
        if not (best <= point).all(axis=1).any():
            joined = np.vstack([best, point])
            best = joined[is_on_front(joined)]
            volumes.append(hypervolume(best, corner))
        else:
            volumes.append(volumes[-1])
    return known.assign(hypervolume=volumes)


def share_of_box(
    trials: pd.DataFrame, looked_for: Sequence[Objective], reference: Sequence[float]
) -> float:
    """Return the hypervolume as a share of what one trial, the best in everything, would have."""
    points, corner = _signed(finished(trials, looked_for), looked_for, reference)
    return hypervolume(points, corner) / hypervolume(points.min(axis=0, keepdims=True), corner)


def hypervolume(points: Points, corner: NDArray[np.float64]) -> float:
    """Return the volume between points and a corner, where less is better in every column.

    Source: the WFG algorithm of L. While, L. Bradstreet, L. Barone, A fast way of calculating exact
    hypervolumes, IEEE Trans. Evol. Comput. 16 (2012) 86-95: the sum over points of what each adds
    to those after it. Without its slicing, which matters only for thousands of points.
    """
    inside = points[(points < corner).all(axis=1)]
    best = np.unique(inside[is_on_front(inside)], axis=0)
    total = 0.0
    for i, point in enumerate(best):
        shadowed = np.maximum(best[i + 1 :], point)
        alone = float(np.prod(corner - point))
        total += alone - (hypervolume(shadowed, corner) if len(shadowed) else 0.0)
    return total


def _signed(
    known: pd.DataFrame, looked_for: Sequence[Objective], reference: Sequence[float]
) -> tuple[Points, NDArray[np.float64]]:
    signs = np.array([-1.0 if one.maximise else 1.0 for one in looked_for])
    return minimised(known, looked_for), signs * np.asarray(reference, float)
