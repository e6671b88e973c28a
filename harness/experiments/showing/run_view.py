"""A finished run for the terminal: figures, losses by position and document, layers, samples."""

from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.quantities import format_bytes, format_count, format_duration
from harness.store.attempt import Attempt
from harness.store.views import by_document, by_layer, by_position
from harness.terminal import plain_table

FEW = 3  # of the documents, at either end


def describe_run(attempt: Attempt) -> dict[str, Any]:
    """Return everything that a finished run has left, but its curve and its weights."""
    result, samples = attempt.read_result(), attempt.read_samples()
    assert result  # it is finished
    measured = {name: attempt.read_measurement(name) for name in attempt.measurements()}
    return {
        "run_id": attempt.run_id,
        "environment": attempt.environment,
        "folder": str(attempt.path),
        "result": result.model_dump(mode="json"),
        "measurements": {name: m.model_dump(mode="json") for name, m in measured.items() if m},
        "by_position": by_position(result),
        "by_document": by_document(result),
        "by_layer": by_layer(result),
        "samples": samples and samples.model_dump(mode="json"),
    }


def run_view(found: dict[str, Any]) -> RenderableType:
    """Draw a run for people."""
    parts: list[RenderableType] = [_figures(found)]
    documents = found["by_document"]
    if len(documents) > 2 * FEW:
        documents = [*documents[:FEW], *documents[-FEW:]]
    for title, rows in (
        ("Loss by position in the window (nats per token)", found["by_position"]),
        ("Loss by document, the lowest and the highest", documents),
        ("Activations by layer over held-out tokens", _columns(found["by_layer"], "rms", "max")),
        ("Gradient norm by layer, of the first batch", _columns(found["by_layer"], "gradient")),
    ):
        if rows:
            parts.append(_rows(title, rows))
    parts += _samples(found["samples"])
    return Group(*(part for one in parts for part in (one, Text())))


def _figures(found: dict[str, Any]) -> Table:
    table = plain_table(f"Run {found['run_id']} on {found['environment']}", show_header=False)
    result = found["result"]
    for name, value in {**result["metrics"], "seconds": result["seconds"]}.items():
        table.add_row(name, "-" if value is None else _written(name, value))
    return table


def _written(name: str, value: float) -> str:
    match name:
        case "peak_memory":
            return format_bytes(value)
        case "seconds":
            return format_duration(value)
        case "share_of_peak":
            return f"{value:.0%}"
        case "steps" | "tokens" | "flops" | "tokens_per_s":
            return format_count(value)
    return f"{value:.4f}"


def _columns(rows: list[dict[str, Any]], *words: str) -> list[dict[str, Any]]:
    """Keep the columns that are named with one of the words, and the first."""
    return [
        {k: v for i, (k, v) in enumerate(row.items()) if not i or {*words} & {*k.split("_")}}
        for row in rows
    ]


def _rows(title: str, rows: list[dict[str, Any]]) -> Table:
    table = plain_table(title)
    for column in rows[0]:
        justify: Literal["left", "right"] = "left" if column == "document" else "right"
        table.add_column(column.replace("_", "\n"), justify=justify)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _samples(samples: dict[str, Any] | None) -> list[Text]:
    if samples is None:
        return []
    if samples["cause"]:
        return [Text(f"no samples: {samples['cause']}")]
    return [
        Text.assemble((sample["prompt"], "bold"), " | ", sample[kind], (f"  ({kind})", "dim"))
        for sample in samples["samples"]
        for kind in ("greedy", "sampled")
    ]
