"""What benchmarks have found, as tables."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from harness.terminal import plain_table


def speed_table(title: str, found: Mapping[str, Any]) -> Table:
    """Draw seconds, their spread and tokens a second of everything that was timed."""
    table = headed_table(title, ("", "seconds", "quartiles", "tokens/s"))
    for name, timing in found["seconds"].items():
        speed = found["tokens_per_second"][name]
        spread = f"±{timing['spread'] / 2:.1%}"
        table.add_row(name, f"{timing['median']:.4f}", spread, f"{speed:,.0f}")
    return table


def headed_table(title: str, columns: tuple[str, ...]) -> Table:
    """Return an empty table whose first column names things and whose others are numbers."""
    table = plain_table(title)
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left")
    return table


def figures(found: Mapping[str, Any], labels: Mapping[str, tuple[str, str]]) -> Table:
    """Draw single figures that were found, each by its label and format."""
    table = Table(box=None, show_header=False)
    for key, (label, form) in labels.items():
        if key in found:
            table.add_row(label, form.format(found[key]))
    return table
