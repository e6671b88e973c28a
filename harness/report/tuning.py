"""How the loss depends on what was tuned: a result of its own."""

from collections.abc import Iterator

import pandas as pd

from harness.analysis.titles import title
from harness.report.charts.lines import Line, line_chart
from harness.report.document import Block, Figure, Paragraph, Section, Table
from harness.report.style import arm_classes
from harness.report.words import setting_words
from harness.store.status import Status
from harness.store.tables import Plan

_PURPOSES = {
    "tuning": "chosen by: tuning seeds, which answer nothing",
    "report": "answered by: report seeds, around what was chosen",
}


def tuning(plan: Plan, runs: pd.DataFrame) -> Iterator[Section]:
    """Draw the loss against the tuned setting, where something was tuned."""
    tune = plan.get("tune")
    if not tune:
        return
    blocks: list[Block] = [_table(plan)]
    if key := tune.get("key"):
        metrics = {"tuning": tune["metric"], "report": plan["metric"]}
        for purpose, caption in _PURPOSES.items():
            blocks += _figure(
                plan, runs[runs["purpose"] == purpose], metrics[purpose], key, caption
            )
    else:
        space = "A space of settings was searched at random, with the same trials for every arm."
        blocks.append(Paragraph(space))
    yield Section("Tuning", blocks)


def _table(plan: Plan) -> Table:
    rows = []
    for name, arm in plan["arms"].items():
        tuned = arm.get("tuning") or {}
        tried = tuned.get("tried", [])
        report = ", ".join(f"{value:g}" for value in tuned.get("report", []) if _is_number(value))
        edge = "yes: its verdicts are refused" if tuned.get("at_edge") else "no"
        spent = str(tuned.get("trials_spent", "-"))
        rows.append([name, setting_words(tuned), str(len(tried)), report or "-", edge, spent])
    columns = ["arm", "chosen", "tried", "reported at", "at the edge", "tuning runs"]
    return Table("What was chosen", columns, rows)


def _figure(
    plan: Plan, runs: pd.DataFrame, metric: str, key: str, caption: str
) -> Iterator[Figure]:
    there = metric in runs and "setting" in runs
    done = runs[runs["status"] == Status.DONE] if there else runs.head(0)
    done = done.dropna(subset=["setting", metric]) if there else done
    if done.empty:
        return
    purpose = str(done["purpose"].iloc[0])
    classes = arm_classes(plan)
    lines = []
    for arm, ours in done.groupby("arm", sort=False):
        means = ours.groupby("setting", as_index=False)[metric].mean()
        points = list(zip(means["setting"].tolist(), means[metric].tolist(), strict=True))
        dots = [
            (
                (run["setting"], run[metric]),
                f"{arm} at {run['setting']:g}, seed {run['seed']}: {run[metric]:.4f}",
            )
            for run in ours.to_dict("records")
        ]
        lines.append(Line(str(arm), classes[str(arm)], points, dots=dots))
    what, settings = title(metric), sorted(done["setting"].unique())
    svg = line_chart(f"{what} against {key}", key, what, lines, log_ticks=settings)
    alt = f"{what} against {key} on {purpose} seeds"
    yield Figure(f"tuning-{purpose}", svg, alt, f"{caption}. Lines: means; dots: seeds.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
