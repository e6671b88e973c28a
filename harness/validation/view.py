"""What a suite found, for the terminal."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from harness.quantities import format_duration
from harness.terminal import plain_table
from harness.validation.finding import Finding, Outcome

_STYLES = {Outcome.AS_EXPECTED: "green", Outcome.NOT_RESOLVED: "yellow", Outcome.OPPOSITE: "red"}


def findings_view(findings: Sequence[Finding]) -> RenderableType:
    """Draw each known answer beside the one that was found, and the sum of it."""
    table = plain_table()
    for column in ("check", "expected", "found"):
        table.add_column(column, overflow="fold")
    table.add_column("", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for one in findings:
        table.add_row(
            Text(one.name),
            Text(one.expected),
            Text(one.found),
            Text(one.outcome, style=_STYLES[one.outcome]),
            format_duration(one.seconds),
        )
    return Group(table, Text(), Text(summary(findings)))


def summary(findings: Sequence[Finding]) -> str:
    """Count the outcomes."""
    counts = {outcome: sum(one.outcome is outcome for one in findings) for outcome in Outcome}
    told = (outcome for outcome in Outcome if counts[outcome] or outcome is Outcome.OPPOSITE)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in told)


def findings_dict(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return the findings as plain data."""
    return [asdict(one) for one in findings]
