"""The tables of a study in words: its best trials, and all of them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness.analysis.study.confirmed import confirmed
from harness.analysis.study.front import front
from harness.analysis.study.names import param_columns
from harness.analysis.study.read import Study
from harness.analysis.study.words import param_words
from harness.quantities import format_duration
from harness.report.document import Table

Row = Mapping[Any, Any]


def front_table(study: Study) -> Table:
    """Tell of the best trial, or of each on the front, its values, parameters and verdict."""
    best = front(study.trials, study.objectives)
    params = {k: v for k, v in param_columns(study.definition).items() if best[k].notna().any()}
    verdicts = {one.trial: str(one.contrast.verdict) for one in confirmed(study) if one.contrast}
    keys = [one.key for one in study.objectives]
    columns = ["trial", *keys, *params.values(), "on fresh seeds"]
    rows = [
        [
            str(row["number"]),
            *(one.words(row[one.column]) for one in study.objectives),
            *(_cell(row[name]) for name in params),
            verdicts.get(row["number"], "not confirmed"),
        ]
        for row in best.to_dict("records")
    ]
    title = "Best trial" if len(keys) == 1 else f"Front of {' against '.join(keys)}"
    note = "one run each; whether it holds on fresh seeds is said by its verdict alone"
    return Table(title, columns, rows, note=note)


def all_trials(study: Study) -> Table:
    """Tell of every trial what became of it."""
    trials, params = study.trials, param_columns(study.definition)
    has = {"lost": trials["lost"] > 0, "same_as": trials["same_as"].notna()}
    seen = [name for name, where in has.items() if where.any()]
    about = ["rung", *seen, "seconds", "run_id", "cause"]
    keys = [one.key for one in study.objectives]
    rows = [
        [
            str(row["number"]),
            row["status"] + ", enqueued" * (row["enqueued"] is True),
            *(one.words(row[one.column]) for one in study.objectives),
            *(_cell(row[name]) for name in params),
            *(_about(name, row[name]) for name in about),
        ]
        for row in trials.to_dict("records")
    ]
    counts = trials["status"].value_counts().sort_index()
    note = ", ".join(f"{n} {status}" for status, n in counts.items())
    columns = ["trial", "status", *keys, *params.values(), *about]
    muted = frozenset(i for i, status in enumerate(trials["status"]) if status != "done")
    return Table(f"{len(trials)} trials", columns, rows, note=note, muted=muted)


def _cell(value: Any) -> str:
    return "-" if pd.isna(value) else param_words(value)


def _about(name: str, value: Any) -> str:
    if pd.isna(value):
        return "-"
    match name:
        case "seconds":
            return format_duration(value)
        case "rung":
            return f"{value:g}"
    return str(value)
