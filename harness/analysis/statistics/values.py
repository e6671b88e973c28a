"""The one number that an arm has at a seed: its metric, or where its setting was tuned, the fit's.

Under the protocol `fitted` an arm's runs are at three values of the tuned setting around the best
one. A parabola in the logarithm of the setting through the means over seeds has the arm's optimum;
the value at a seed is the parabola through that seed's own three losses, read at that optimum. The
mean of the values is the fitted minimum exactly. How far the optimum is off matters to second order
only (the slope is zero there), so the values carry the error of the fitted minimum seed by seed,
and resampling or pairing them treats each seed, with all of its runs, as one block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.statistics.intervals import LEVEL_OF_MEANS, estimate
from harness.analysis.statistics.verdict import METRICS_TO_MAXIMISE
from harness.store.status import Status
from harness.store.tables import Plan

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ArmFit:
    """A parabola through three settings, or less where that is all there is."""

    settings: tuple[float, ...]
    means: tuple[float, ...]
    """Over the seeds that have a loss at every one of the settings."""
    optimum: float
    minimum: float
    clamped: bool
    """Whether the parabola's optimum lies beyond the settings, or it has none."""


def usable(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the runs that count: done, with the metric measured."""
    return runs[(runs["status"] == Status.DONE) & runs[metric].notna()]


def report_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that answer the question, without those that chose a setting."""
    return runs[runs["purpose"] == "report"] if "purpose" in runs else runs


def seed_values(plan: Plan, runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the value of each arm at each seed, NaN where a run of it is missing."""
    columns = {arm: arm_values(plan, runs, arm, metric) for arm in plan["arms"]}
    return pd.DataFrame(columns).rename_axis(index="seed", columns="arm").sort_index()


def fit_of(plan: Plan, runs: pd.DataFrame, arm: str) -> ArmFit | None:
    """Return the fit of an arm by the plan's metric; None if it has none."""
    losses = _by_setting(plan, runs, arm, plan["metric"])
    return None if losses is None else _fit(losses, plan["metric"])


def arm_values(plan: Plan, runs: pd.DataFrame, arm: str, metric: str) -> "pd.Series[float]":
    """Return the value of an arm at each seed that has a run of it.

    Replicas of a seed are averaged. A metric other than the plan's is read at the optimum of the
    plan's.
    """
    losses = _by_setting(plan, runs, arm, metric)
    if losses is None:
        ours = report_runs(runs)
        return usable(ours[ours["arm"] == arm], metric).groupby("seed")[metric].mean()
    own = metric == plan["metric"]
    fit = _fit(losses, metric) if own else fit_of(plan, runs, arm)
    if fit is None:
        return pd.Series(dtype=float)
    return pd.Series(
        read_at(fit.settings, losses[list(fit.settings)].to_numpy(), fit.optimum),
        index=losses.index,
    )


def _by_setting(plan: Plan, runs: pd.DataFrame, arm: str, metric: str) -> pd.DataFrame | None:
    """Return a row a seed and a column a setting; None if the arm is not to be fitted.

    A setting at which a run diverged is out, unless no other is left.
    """
    tuning = plan["arms"][arm].get("tuning")
    if not tuning or len(tuning["report"]) < 2:
        return None
    ours = report_runs(runs)
    ours = ours[ours["arm"] == arm]
    table = usable(ours, metric).groupby(["seed", "setting"])[metric].mean().unstack("setting")
    diverged = set(ours.loc[ours["status"] == Status.DIVERGED, "setting"])
    trained = [setting for setting in sorted(tuning["report"]) if setting not in diverged]
    return table.reindex(columns=trained or sorted(tuning["report"]))


def _fit(losses: pd.DataFrame, metric: str) -> ArmFit | None:
    complete = losses.dropna()
    if complete.empty:
        return None
    maximised = metric.rpartition("/")[2] in METRICS_TO_MAXIMISE
    return fit(list(map(float, complete.columns)), complete.to_numpy(), maximised=maximised)


def fit(settings: Sequence[float], losses: Floats, *, maximised: bool = False) -> ArmFit:
    """Fit a parabola to the means over seeds: at the best setting and its two neighbours.

    Args:
        settings: Ascending, two or more.
        losses: A row a seed, a column a setting.
        maximised: Whether more is better.
    """
    sign = -1.0 if maximised else 1.0
    means = sign * losses.mean(axis=0)
    best = int(np.argmin(means))
    first = min(max(best - 1, 0), max(len(settings) - 3, 0))
    used, means = tuple(settings[first : first + 3]), means[first : first + 3]
    optimum, clamped = used[best - first], True
    vertex = _vertex(np.log(used), means)
    if vertex is not None:
        low, high = np.log(used[0]), np.log(used[-1])
        clamped = not low <= vertex <= high
        optimum = float(np.exp(min(max(vertex, low), high)))
    minimum = read_at(used, means[None], optimum)[0]
    return ArmFit(used, tuple((sign * means).tolist()), optimum, float(sign * minimum), clamped)


def better_beyond(losses: Floats) -> int:
    """Say on which side of what was tried something better may lie: -1 below, 1 above, 0 neither.

    That is where the best mean is the outermost one, and the seeds resolve that it is lower than
    its neighbour's (paired, 95 %).

    Args:
        losses: A row a seed, a column a setting, ascending; lower is better, infinite where a run
            diverged.
    """
    finite = np.flatnonzero(np.isfinite(losses).all(axis=0))
    if len(finite) < 2:
        return 0
    best = int(finite[np.argmin(losses[:, finite].mean(axis=0))])
    side = {0: -1, losses.shape[1] - 1: 1}.get(best, 0)
    neighbour = best - side
    if not side or neighbour not in finite:
        return 0
    lower = estimate(losses[:, best] - losses[:, neighbour], LEVEL_OF_MEANS)
    return side if lower.high is not None and lower.high < 0 else 0


def read_at(settings: Sequence[float], losses: Floats, at: float) -> Floats:
    """Read the parabola (in the logarithm) through each row of losses at one setting."""
    x, to = np.log(np.asarray(settings)), np.log(at)
    weights = [
        np.prod([(to - x[j]) / (x[i] - x[j]) for j in range(len(x)) if j != i])
        for i in range(len(x))
    ]
    return np.asarray(losses @ np.array(weights))


def _vertex(x: Floats, y: Floats) -> float | None:
    """Return where the parabola through three points is lowest; None if it opens downwards."""
    if len(x) < 3:
        return None
    left, right = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    curvature = (right - left) / (x[2] - x[0])
    if not curvature > 0:
        return None
    return float((x[0] + x[1]) / 2 - left / (2 * curvature))
