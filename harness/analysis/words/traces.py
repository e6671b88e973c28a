"""Learning curves as lines: means with a band, or seed by seed, and never too many points."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from harness.analysis.statistics.intervals import LEVEL_OF_MEANS, estimate

MOST_POINTS = 2_000
Spread = Literal["min to max", "95 % interval", "single seeds"]
SPREADS: tuple[Spread, ...] = ("min to max", "95 % interval", "single seeds")


@dataclass(frozen=True)
class CurveView:
    """What is drawn against what."""

    x: str
    y: str
    spread: Spread = "min to max"
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Trace:
    """A line: columns `x`, `y`, `n`, `low`, `high`; a mean has no `seed`."""

    arm: str
    seed: int | None
    points: pd.DataFrame
    n_points: int
    """How many there were before thinning."""


def traces(curves: pd.DataFrame, view: CurveView) -> Iterator[Trace]:
    """Make the lines of a view, arm by arm in the order of the table."""
    seen = curves.assign(x=curves[view.x].astype("float64"), y=curves[view.y].astype("float64"))
    for arm, ours in seen.dropna(subset=["x", "y"]).groupby("arm", sort=False):
        if view.spread == "single seeds":
            for _, run in ours.groupby(["seed", "run_id"]):
                yield _run_trace(str(arm), run.sort_values("step"))
        else:
            yield _mean_trace(str(arm), ours, view.spread)


def thin(values: pd.Series, most: int) -> list[int]:
    """Choose at most `most` positions: the extremes of equal stretches, so that spikes stay."""
    if len(values) <= most:
        return list(range(len(values)))
    array, chosen = values.to_numpy(dtype="float64"), {0, len(values) - 1}
    for stretch in np.array_split(np.arange(len(array)), (most - 2) // 2):
        part = array[stretch]
        chosen |= {int(stretch[part.argmin()]), int(stretch[part.argmax()])}
    return sorted(chosen)


def _run_trace(arm: str, run: pd.DataFrame) -> Trace:
    seed = int(run["seed"].iloc[0])
    points = run.iloc[thin(run["y"], MOST_POINTS)]
    return Trace(arm, seed, points[["x", "y"]].assign(n=1, low=np.nan, high=np.nan), len(run))


def _mean_trace(arm: str, points: pd.DataFrame, spread: Spread) -> Trace:
    """Average over the seeds at each step; an x that differs between seeds (seconds) also."""
    means = points.groupby("step").agg(x=("x", "mean"), y=("y", "mean"), n=("y", "size"))
    drawn = means.iloc[thin(means["y"], MOST_POINTS)]
    values = points[points["step"].isin(drawn.index)].groupby("step")["y"]
    if spread == "min to max":
        band = pd.DataFrame({"low": values.min(), "high": values.max()})
    else:
        estimates = [estimate(at_step.tolist(), LEVEL_OF_MEANS) for _, at_step in values]
        bounds = {"low": [e.low for e in estimates], "high": [e.high for e in estimates]}
        band = pd.DataFrame(bounds, index=drawn.index, dtype="float64")
    return Trace(arm, None, drawn.join(band).reset_index(drop=True), len(means))
