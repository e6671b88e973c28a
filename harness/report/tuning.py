"""How the loss depends on what was tuned: a result of its own."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from harness.analysis.titles import title
from harness.analysis.tuning import setting_name
from harness.analysis.values import ArmFit, fit_of, read_at, report_runs, usable
from harness.report.charts.lines import Line, Point, line_chart
from harness.report.document import Block, Bullets, Figure, Section, Table
from harness.report.style import arm_classes
from harness.report.words import number, setting_words
from harness.store.tables import Plan

_POINTS_OF_A_PARABOLA = 33


def tuning(plan: Plan, runs: pd.DataFrame, spent: list[str]) -> Iterator[Section]:
    """Draw the loss against the tuned setting, where something was tuned; tell its price."""
    tune = plan.get("tune")
    if not tune:
        return
    blocks: list[Block] = [_table(plan, runs)]
    if spent:
        blocks.append(Bullets(spent))
    if tune["key"] is not None:
        blocks += [*_trials(plan, runs), *_reported(plan, runs)]
    yield Section("Tuning", blocks)


def _table(plan: Plan, runs: pd.DataFrame) -> Table:
    columns = ["arm", "chosen", "tried", "diverged", "at the edge", "fitted optimum", "at it"]
    rows = []
    for name, arm in plan["arms"].items():
        tuned = arm.get("tuning") or {}
        trials = runs[(runs["arm"] == name) & (runs["purpose"] == "tuning")]
        fit = fit_of(plan, runs, name)
        rows.append(
            [
                name,
                setting_words(tuned),
                f"{len(tuned.get('tried', []))} on {len(plan['tune']['seeds'])} seeds",
                str((trials["status"] == "diverged").sum()),
                "yes: refused" if tuned.get("at_edge") else "no",
                _optimum(fit),
                number(fit.minimum if fit else None),
            ]
        )
    return Table("What was chosen", columns, rows)


def _optimum(fit: ArmFit | None) -> str:
    if fit is None:
        return "-"
    return f"{fit.optimum:.3g}" + (", at an end of the three" if fit.clamped else "")


def _trials(plan: Plan, runs: pd.DataFrame) -> Iterator[Figure]:
    """Draw what settings were chosen by."""
    metric = plan["tune"]["metric"]
    trials = runs[runs["purpose"] == "tuning"]
    lines = []
    for arm, ours in _by_arm(plan, trials, metric):
        means = ours.groupby("setting", as_index=False)[metric].mean()
        points = list(zip(means["setting"].tolist(), means[metric].tolist(), strict=True))
        lines.append(Line(arm, arm_classes(plan)[arm], points, dots=_dots(ours, metric)))
    caption = "What settings were chosen by: means over the tuning seeds, which answer nothing."
    yield from _figure("tuning", plan, metric, lines, caption)


def _reported(plan: Plan, runs: pd.DataFrame) -> Iterator[Figure]:
    """Draw what the verdicts are made of: the report seeds around what was chosen."""
    metric = plan["metric"]
    lines = []
    for arm, ours in _by_arm(plan, report_runs(runs), metric):
        fit, dots, style = fit_of(plan, runs, arm), _dots(ours, metric), arm_classes(plan)[arm]
        points = _parabola(fit) if fit else []
        best = {f"{arm}: {fit.minimum:.4f} at {fit.optimum:.3g}": _lowest(fit)} if fit else {}
        lines.append(Line(arm, style, points, dots=dots, marks=best))
    caption = (
        "What the verdicts are made of: report seeds around what was chosen, the parabola through "
        "their means, and its minimum (diamond)."
    )
    yield from _figure("tuning-report", plan, metric, lines, caption)


def _by_arm(plan: Plan, runs: pd.DataFrame, metric: str) -> Iterator[tuple[str, pd.DataFrame]]:
    done = usable(runs, metric).dropna(subset=["setting"])
    for arm in plan["arms"]:
        ours = done[done["arm"] == arm]
        if len(ours):
            yield arm, ours


def _dots(runs: pd.DataFrame, metric: str) -> list[tuple[Point, str]]:
    return [
        (
            (run["setting"], run[metric]),
            f"{run['arm']} at {run['setting']:.3g}, seed {run['seed']}: {run[metric]:.4f}",
        )
        for run in runs.to_dict("records")
    ]


def _parabola(fit: ArmFit) -> list[Point]:
    low, high = math.log(fit.settings[0]), math.log(fit.settings[-1])
    at = np.exp(np.linspace(low, high, _POINTS_OF_A_PARABOLA)).tolist()
    means = np.array([fit.means])
    return [(setting, float(read_at(fit.settings, means, setting)[0])) for setting in at]


def _lowest(fit: ArmFit) -> Point:
    return fit.optimum, fit.minimum


def _figure(
    name: str, plan: Plan, metric: str, lines: list[Line], caption: str
) -> Iterator[Figure]:
    ticks = sorted({x for line in lines for (x, _), _ in line.dots})
    if not ticks:
        return
    setting, what = setting_name(plan["tune"]["key"]), title(metric)
    heading = f"{what} against the {setting}"
    yield Figure(name, line_chart(heading, setting, what, lines, log_ticks=ticks), heading, caption)
