"""How a study got there: values and volume as trials ended, rungs, and who worked when."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from harness.analysis.study.front import best_so_far, finished
from harness.analysis.study.hypervolume import hypervolume_history, reference_point
from harness.analysis.study.objectives import Objective
from harness.analysis.study.read import Study
from harness.analysis.study.trials import rung_values, segments
from harness.analysis.study.words import reference_words
from harness.analysis.units import percent
from harness.report.charts.bars import Bar, BarRow, bar_chart
from harness.report.charts.lines import Line, Point, line_chart
from harness.report.document import Figure, Section

STYLES = {"done": "a0", "pruned": "a1", "diverged": "a3", "failed": "a3", "running": "a2"}
_ENDED = "trials that had ended before"


def progress(study: Study) -> Section:
    """Draw values, volume, rungs, their distribution and the work, as far as there are any."""
    figures = [
        *(_history(study, one, i) for i, one in enumerate(study.objectives)),
        *_volume(study),
        *_rungs(study),
        *(_distribution(study, one, i) for i, one in enumerate(study.objectives)),
        *_timeline(study),
    ]
    return Section("Progress", [figure for figure in figures if figure is not None])


def _history(study: Study, objective: Objective, i: int) -> Figure | None:
    trace = best_so_far(study.trials, objective)
    if trace.empty:
        return None
    rows = trace[["number", "ended_as", objective.column, "best"]].to_dict("records")
    dots = [
        (
            (float(row["ended_as"]), float(row[objective.column])),
            f"trial {row['number']}: {objective.words(row[objective.column])}",
        )
        for row in rows
    ]
    steps = _steps([(float(row["ended_as"]), float(row["best"])) for row in rows])
    what = objective.title
    lines = [Line("best so far", "a1", steps), Line("trials", "a0", [], dots=dots)]
    heading = f"{what} as trials ended"
    caption = "Dots: trials that are done; line: the best until then. One run each."
    return Figure(f"history-{i + 1}", line_chart(heading, _ENDED, what, lines), heading, caption)


def _volume(study: Study) -> Iterator[Figure]:
    looked_for = study.objectives
    reference = reference_point(study.trials, looked_for)
    if len(looked_for) == 1 or reference is None:
        return
    found = hypervolume_history(study.trials, looked_for, reference)
    points = list(zip(found["ended_as"].astype(float), found["hypervolume"], strict=True))
    dots = [(point, f"{point[1]:.4g}") for point in points]
    lines = [Line("hypervolume", "a0", _steps(points), dots=dots)]
    heading = "Hypervolume as trials ended"
    caption = f"What the front dominates, up to {reference_words(looked_for, reference)}."
    yield Figure("hypervolume", line_chart(heading, _ENDED, "volume", lines), heading, caption)


def _rungs(study: Study) -> Iterator[Figure]:
    """Draw the first objective that changes on the way: a cost is no curve."""
    found = rung_values(study.definition, study.events)
    status = dict(zip(study.trials["number"], study.trials["status"], strict=True))
    for objective in study.objectives:
        by_trial = found.dropna(subset=[objective.column]).groupby("number")
        if not (by_trial[objective.column].nunique() > 1).any():
            continue
        lines: list[Line] = []
        for number, ours in by_trial:
            points = list(zip(ours["fraction"], ours[objective.column], strict=True))
            became = status[number]
            tips = [(p, f"trial {number}, {became}: {objective.words(p[1])}") for p in points]
            seen = any(line.label == became for line in lines)
            style = STYLES.get(became, "a6")
            lines.append(Line("" if seen else became, style, points, dots=tips))
        rungs = study.definition.get("rungs") or []
        names = {float(fraction): percent(fraction) for fraction in rungs}
        what = f"{objective.title} on the way"
        svg = line_chart(what, "part of the budget", objective.title, lines, names=names)
        caption = "A line for each trial. Trials compare with each other at equal parts only."
        yield Figure("rungs", svg, what, caption)
        return


def _distribution(study: Study, objective: Objective, i: int) -> Figure | None:
    values = sorted(finished(study.trials, study.objectives)[objective.column].tolist())
    if len(values) < 2:
        return None
    shares = [(value, (rank + 1) / len(values)) for rank, value in enumerate(values)]
    what = f"Distribution of {objective.title}"
    steps = _steps([(values[0], 0.0), *shares])
    svg = line_chart(what, objective.title, "part of the trials", [Line("", "a0", steps)])
    caption = "The part of the trials that are done whose value is at most this."
    return Figure(f"distribution-{i + 1}", svg, what, caption)


def _timeline(study: Study) -> Iterator[Figure]:
    found = segments(study.events)
    if found.empty:
        return
    began = found["start"].min()
    status = dict(zip(study.trials["number"], study.trials["status"], strict=True))
    rows = []
    for worker, ours in found.groupby("worker", sort=True):
        bars = [
            Bar(
                (row["start"] - began).total_seconds(),
                (row["end"] - began).total_seconds(),
                f"trial {row['number']}, {status[row['number']]}",
                STYLES.get(status[row["number"]], "a6"),
            )
            for row in ours.to_dict("records")
        ]
        rows.append(BarRow(str(worker), bars))
    heading = "Who worked at which trial"
    caption = "Blue: done; orange: pruned; pink: failed or diverged. Gaps: waiting, or interrupted."
    yield Figure("timeline", bar_chart(heading, "seconds", rows), heading, caption)


def _steps(points: Sequence[Point]) -> list[Point]:
    """Hold each value until the next one."""
    held = [p for (x, y), (until, _) in pairwise(points) for p in ((x, y), (until, y))]
    return [*held, *points[-1:]]
