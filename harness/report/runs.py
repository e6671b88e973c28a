"""Every run, also those that failed."""

from typing import Any

import pandas as pd

from harness.analysis.units import count
from harness.quantities import format_duration
from harness.report.document import Section, Table
from harness.store.status import Status
from harness.store.tables import Plan


def all_runs(plan: Plan, runs: pd.DataFrame) -> Section:
    """List the planned runs with what became of each."""
    others = [f"{name}/{about['metric']}" for name, about in plan.get("evaluate", {}).items()]
    metrics = list(dict.fromkeys([plan["metric"], *others]))
    columns = ["arm", "purpose", "setting", "seed", "replica", "status", *metrics]
    columns += ["tokens", "seconds", "environment", "run_id", "cause"]
    shown = [name for name in columns if name in runs and not _says_nothing(runs, name)]
    rows = [[_cell(name, run[name]) for name in shown] for run in runs.to_dict("records")]
    lost = frozenset(i for i, status in enumerate(runs["status"]) if status != Status.DONE)
    counts = runs["status"].value_counts().sort_index()
    note = ", ".join(f"{n} {status}" for status, n in counts.items())
    table = Table(f"{len(runs)} runs", shown, rows, note=note, muted=lost)
    return Section("Runs", [table], folded=True)


def _says_nothing(runs: pd.DataFrame, name: str) -> bool:
    values = runs[name].dropna()
    if name in ("purpose", "replica"):
        return values.nunique() <= 1
    return values.empty and name in ("setting", "cause")


def _cell(name: str, value: Any) -> str:
    if pd.isna(value):
        return "-"
    if name == "seconds":
        return format_duration(value)
    if name == "tokens":
        return count(value)
    if isinstance(value, float):
        return f"{value:g}" if name == "setting" else f"{value:.4f}"
    return str(value)
