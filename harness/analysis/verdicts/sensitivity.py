"""How an arm's loss depends on what was tuned: a result, whatever was chosen."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.analysis.statistics.values import ArmFit, fit_of, read_at, report_runs, usable
from harness.store.tables import Plan

_POINTS_OF_A_PARABOLA = 33


class Trial(NamedTuple):
    """A run at a setting."""

    setting: float
    loss: float
    seed: int


@dataclass(frozen=True)
class Sensitivity:
    """An arm's losses by setting, and a line through them."""

    arm: str
    trials: Sequence[Trial]
    line: Sequence[tuple[float, float]]
    best: tuple[float, float] | None
    """Of the parabola, if the line is one: the setting and the loss there."""


def of_tuning(plan: Plan, runs: pd.DataFrame) -> list[Sensitivity]:
    """Return what settings were chosen by: means over the tuning seeds."""
    metric, found = plan["tune"]["metric"], []
    for arm, ours in _by_arm(plan, runs[runs["purpose"] == "tuning"], metric):
        means = ours.groupby("setting", as_index=False)[metric].mean()
        line = list(zip(means["setting"].tolist(), means[metric].tolist(), strict=True))
        found.append(Sensitivity(arm, _trials(ours, metric), line, None))
    return found


def of_report(plan: Plan, runs: pd.DataFrame) -> list[Sensitivity]:
    """Return what verdicts are made of: the report seeds, and the parabola through their means."""
    metric, found = plan["metric"], []
    for arm, ours in _by_arm(plan, report_runs(runs), metric):
        fit = fit_of(plan, runs, arm)
        line, best = (_parabola(fit), (fit.optimum, fit.minimum)) if fit else ([], None)
        found.append(Sensitivity(arm, _trials(ours, metric), line, best))
    return found


def _by_arm(plan: Plan, runs: pd.DataFrame, metric: str) -> Iterator[tuple[str, pd.DataFrame]]:
    done = usable(runs, metric).dropna(subset=["setting"])
    for arm in plan["arms"]:
        ours = done[done["arm"] == arm]
        if len(ours):
            yield arm, ours


def _trials(runs: pd.DataFrame, metric: str) -> list[Trial]:
    columns = (runs[name].tolist() for name in ("setting", metric, "seed"))
    return [Trial(*values) for values in zip(*columns, strict=True)]


def _parabola(fit: ArmFit) -> list[tuple[float, float]]:
    low, high = math.log(fit.settings[0]), math.log(fit.settings[-1])
    settings = np.exp(np.linspace(low, high, _POINTS_OF_A_PARABOLA)).tolist()
    means = np.array([fit.means])
    return [(setting, float(read_at(fit.settings, means, setting)[0])) for setting in settings]
