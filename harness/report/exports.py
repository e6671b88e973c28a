"""The tables of a comparison for other programs and for papers: CSV in full, LaTeX in words."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

import pandas as pd

from harness.analysis.verdicts.compare import compare
from harness.analysis.words.summary import comparison_dict
from harness.report.costs import cost_table
from harness.report.latex import latex
from harness.report.verdicts import verdict_table
from harness.store.experiments import ExperimentTables
from harness.store.latency import Latency

Which = Literal["arms", "contrasts"]


def csv_table(tables: ExperimentTables, which: Which) -> str:
    """Write the arms or the contrasts with everything that is known of them, unrounded."""
    comparison = compare(tables.plan, tables.runs, tables.documents)
    found = comparison_dict(comparison, tables.plan)
    rows = found[which]
    if which == "arms":
        rows = [{**row, **_speed(tables.latency, row["arm"])} for row in rows]
    table = pd.DataFrame([_flat(row) for row in rows])
    return table.to_csv(index=False, lineterminator="\n")


def latex_table(tables: ExperimentTables, which: Which) -> str:
    """Write the arms with their costs, or the verdicts, for LaTeX."""
    plan = tables.plan
    comparison = compare(plan, tables.runs, tables.documents)
    if which == "arms":
        return latex(cost_table(plan, comparison, tables.latency))
    return latex(verdict_table(plan, comparison))


def _speed(latency: Latency | None, arm: str) -> dict[str, Any]:
    speed = latency.of(arm) if latency else None
    return {k: v for k, v in asdict(speed).items() if k != "variant"} if speed else {}


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write a mapping as columns of its own, and a list as one text."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}_{inner}": of_it for inner, of_it in value.items()}
        elif isinstance(value, list | tuple):
            flat[key] = "; ".join(map(str, value))
        else:
            flat[key] = value
    return flat
