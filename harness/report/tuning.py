"""How the loss depends on what was tuned: a result of its own."""

from collections.abc import Iterator

import pandas as pd

from harness.analysis.statistics.values import ArmFit, fit_of
from harness.analysis.verdicts.sensitivity import Sensitivity, of_report, of_tuning
from harness.analysis.verdicts.tuning import setting_name
from harness.analysis.words.titles import title
from harness.report.charts.lines import Line, line_chart
from harness.report.document import Block, Bullets, Figure, Section, Table
from harness.report.style import arm_classes
from harness.report.words import setting_words
from harness.store.tables import Plan


def tuning(plan: Plan, runs: pd.DataFrame, spent: list[str]) -> Iterator[Section]:
    """Draw the loss against the tuned setting, where something was tuned; tell its price."""
    tune = plan.get("tune")
    if not tune:
        return
    blocks: list[Block] = [choice_table(plan, runs)]
    if spent:
        blocks.append(Bullets(spent))
    if tune["key"] is not None:
        blocks += _figures(plan, runs)
    yield Section("Tuning", blocks)


def choice_table(plan: Plan, runs: pd.DataFrame) -> Table:
    """Tell what was chosen for each arm, of what, and where the parabola is lowest."""
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
                f"{fit.minimum:.4f}" if fit else "-",
            ]
        )
    return Table("What was chosen", columns, rows)


def _optimum(fit: ArmFit | None) -> str:
    if fit is None:
        return "-"
    return f"{fit.optimum:.3g}" + (", at an end of the three" if fit.clamped else "")


def _figures(plan: Plan, runs: pd.DataFrame) -> Iterator[Figure]:
    chosen_by = "What settings were chosen by: means over the tuning seeds, which answer nothing."
    made_of = (
        "What the verdicts are made of: report seeds around what was chosen, the parabola through "
        "their means, and its minimum (diamond)."
    )
    yield from _figure("tuning", plan, plan["tune"]["metric"], of_tuning(plan, runs), chosen_by)
    yield from _figure("tuning-report", plan, plan["metric"], of_report(plan, runs), made_of)


def _figure(
    name: str, plan: Plan, metric: str, found: list[Sensitivity], caption: str
) -> Iterator[Figure]:
    ticks = sorted({trial.setting for each in found for trial in each.trials})
    if not ticks:
        return
    setting, what = setting_name(plan["tune"]["key"]), title(metric)
    lines = [_line(each, arm_classes(plan)[each.arm]) for each in found]
    heading = f"{what} against the {setting}"
    yield Figure(name, line_chart(heading, setting, what, lines, log_ticks=ticks), heading, caption)


def _line(found: Sensitivity, style: str) -> Line:
    dots = [
        (
            (trial.setting, trial.loss),
            f"{found.arm} at {trial.setting:.3g}, seed {trial.seed}: {trial.loss:.4f}",
        )
        for trial in found.trials
    ]
    marks = {}
    if found.best:
        setting, loss = found.best
        marks[f"{found.arm}: {loss:.4f} at {setting:.3g}"] = found.best
    return Line(found.arm, style, found.line, dots=dots, marks=marks)
