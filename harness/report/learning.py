"""How the arms got there: learning curves, and where every seed ended."""

from collections.abc import Iterator

import pandas as pd

from harness.analysis.statistics.intervals import LEVEL_OF_MEANS
from harness.analysis.units import percent
from harness.analysis.verdicts.arms import mean_words
from harness.analysis.verdicts.compare import Comparison
from harness.analysis.words.seeds import values_by_seed
from harness.analysis.words.titles import title
from harness.analysis.words.traces import CurveView, Trace, traces
from harness.report.charts.intervals import IntervalRow, interval_chart
from harness.report.charts.lines import Line, Point, line_chart
from harness.report.document import Figure, Section
from harness.report.style import arm_classes
from harness.store.tables import Plan


def learning(
    plan: Plan, runs: pd.DataFrame, curves: pd.DataFrame, comparison: Comparison
) -> Section:
    """Draw the learning curves, and the arms with a dot for each seed."""
    figures = [*_curves(plan, curves), *_ends(plan, runs, comparison)]
    return Section("Learning curves", figures)


def _curves(plan: Plan, curves: pd.DataFrame) -> Iterator[Figure]:
    metric = plan["metric"].rpartition("/")[2]  # what a run is scored on at its end has no curve
    if metric not in curves:
        return
    lines = [_line(trace, curves, plan) for trace in traces(curves, CurveView("tokens", metric))]
    if not lines:
        return
    what = title(metric)
    svg = line_chart(f"{what} against training tokens", "training tokens", what, lines)
    caption = "Lines: means over the seeds; bands: from the lowest seed to the highest; dots: ends."
    yield Figure("curves", svg, f"Learning curves: {what} against training tokens", caption)


def _line(trace: Trace, curves: pd.DataFrame, plan: Plan) -> Line:
    points, arm = trace.points, trace.arm
    metric = plan["metric"].rpartition("/")[2]
    ours = curves[curves["arm"] == arm].dropna(subset=[metric]).sort_values("step")
    ends = ours.groupby(["seed", "run_id"])[["tokens", metric]].last().reset_index()
    dots = [
        (
            (float(end["tokens"]), float(end[metric])),
            f"{arm}, seed {end['seed']}: {end[metric]:.4f}",
        )
        for end in ends.to_dict("records")
    ]
    return Line(
        arm,
        arm_classes(plan)[arm],
        _pairs(points, "y"),
        low=_pairs(points, "low"),
        high=_pairs(points, "high"),
        dots=dots,
    )


def _pairs(points: pd.DataFrame, column: str) -> list[Point]:
    there = points.dropna(subset=["x", column])
    return list(zip(there["x"].tolist(), there[column].tolist(), strict=True))


def _ends(plan: Plan, runs: pd.DataFrame, comparison: Comparison) -> Iterator[Figure]:
    classes, metric = arm_classes(plan), comparison.metric
    rows = [
        IntervalRow(
            label=arm.arm,
            said=f"{mean_words(arm)}, n = {arm.n}",
            style=classes[arm.arm],
            value=arm.mean,
            low=arm.low,
            high=arm.high,
            seeds={
                f"seed {seed}: {value:.4f}": value
                for seed, value in values_by_seed(plan, runs, arm.arm).items()
            },
        )
        for arm in comparison.arms
        if arm.mean is not None
    ]
    if not rows:
        return
    what = title(metric)
    level = percent(LEVEL_OF_MEANS)
    caption = (
        f"Diamonds and bars: means with their {level} interval, each for itself; dots: seeds. "
        "Whether arms differ is told by the paired differences, not by whether these overlap."
    )
    svg = interval_chart(f"{what} of each arm", what, rows)
    yield Figure("arms", svg, f"{what} of each arm, with intervals", caption)
