"""Lists for the terminal: experiments, runs, components and what may be removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.units import count, size
from harness.analysis.verdicts.compare import compare
from harness.experiments.showing.clean import Removable
from harness.store.experiments import ExperimentStore, ExperimentTables
from harness.terminal import plain_table


@dataclass(frozen=True)
class View:
    """The same rows for people and for programs."""

    table: RenderableType
    data: list[dict[str, Any]]


def experiments_view(experiments: ExperimentStore) -> View:
    """List the experiments with how many of their runs are done, and their verdicts."""
    rows = []
    for name in experiments.names():
        tables = experiments.open(name)
        comparison = compare(tables.plan, tables.runs, tables.documents)
        done = int((tables.runs["status"] == "done").sum())
        verdicts = [f"{c.arm}: {c.verdict}" for c in comparison.contrasts]
        rows.append(
            {
                "experiment": name,
                "done": f"{done}/{len(tables.plan['runs'])}",
                "question": tables.plan["question"],
                "verdicts": ", ".join(verdicts),
            }
        )
    if not rows:
        hint = "no experiments here yet: ablate run experiments/ablations/quickstart.yaml"
        return View(Text(hint), [])
    return View(table_of(rows), rows)


def runs_view(tables: ExperimentTables) -> View:
    """List the runs of an experiment."""
    metric = tables.plan["metric"]
    others = [
        f"{name}/{about['metric']}" for name, about in tables.plan.get("evaluate", {}).items()
    ]
    metrics = dict.fromkeys([metric, *others])
    # what distinguishes runs of a seed, where there are several
    varying = [key for key in ("purpose", "setting") if tables.runs[key].nunique() > 1]
    columns = ["arm", *varying, "seed", "status", *metrics, "tokens", "seconds", "run_id", "cause"]
    data = tables.runs[columns].to_dict(orient="records")
    records = [{str(k): plain(v) for k, v in row.items()} for row in data]
    return View(table_of([{k: _shown(k, v) for k, v in row.items()} for row in records]), records)


def removable_table(found: Sequence[Removable]) -> RenderableType:
    """List what may be removed, and the sum."""
    if not found:  # a table without columns would show nothing, not even its title
        return Text("nothing to remove")
    total = sum(item.nbytes for item in found)
    table = plain_table(f"{len(found)} attempts, {size(total)}")
    for column in ("folder", "why", "size"):
        table.add_column(column, overflow="fold")
    for item in found:
        table.add_row(Text(str(item.attempt.path)), item.reason, size(item.nbytes))
    return table


def table_of(rows: Sequence[dict[str, Any]]) -> Table:
    """Draw rows that have the same keys."""
    table = plain_table(None)
    for column in rows[0] if rows else []:
        table.add_column(str(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row.values()))
    return table


def plain(value: Any) -> Any:
    """Return a cell of a table as JSON has it."""
    if value is None or value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def _shown(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        if key == "setting":
            return f"{value:g}"
        return f"{value:.4f}" if "val_" in key else f"{value:.1f}"
    return count(value) if key == "tokens" else str(value)
