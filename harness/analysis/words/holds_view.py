"""What conditions say of the verdicts, for the terminal and as data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.effects.holds import Held, Under, budget_notes, held, settings_of_scales
from harness.analysis.effects.trend import Trend, trend
from harness.analysis.units import count, difference_and_interval, percent
from harness.terminal import plain_table

_STYLES = {
    "holds": "green",
    "confirmed": "green",
    "reversed": "red",
    "contradicted": "red",
    "refused": "magenta",
}


def holds_tables(main: Under, others: Sequence[Under]) -> list[RenderableType]:
    """Draw each contrast under each condition, how much it has changed, and what follows."""
    found = held(main, others)
    tables = [Padding(_holds_table(main, found), (0, 0, 1, 0))] if found else []
    return [*tables, *(Text(f"({line})", style="dim") for line in holds_lines(main, others, found))]


def holds_dict(main: Under, others: Sequence[Under]) -> dict[str, Any]:
    """Return the same as plain data."""
    found = held(main, others)
    return {
        "conditions": [asdict(one) for one in found],
        "trends": [asdict(one) for one in trends(main, others)],
        "condition_notes": list(holds_lines(main, others, found)),
    }


def holds_lines(main: Under, others: Sequence[Under], found: Sequence[Held]) -> Iterator[str]:
    """Say at how many budgets and sizes claims were tested, and what has not been run."""
    run = {other.name for other in others}
    for condition in main.plan.get("conditions", []):
        if condition["name"] not in run:
            yield f"{condition['kind']} {condition['name']} has not been run"
    yield from budget_notes(main, found)
    if scales := [other.plan for other in others if other.kind == "scale"]:
        yield settings_of_scales(main.plan, scales)
    for one in trends(main, others):
        yield _trend_words(one, main.plan["metric"], 1 - main.plan["alpha"])


def trends(main: Under, others: Sequence[Under]) -> list[Trend]:
    """Return the trend over sizes of every contrast that has one."""
    sizes = [main, *(other for other in others if other.kind == "scale")]
    found = (
        trend(sizes, c.name, c.arm, c.baseline, 1 - main.plan["alpha"])
        for c in main.comparison.contrasts
    )
    return [one for one in found if one is not None]


def _trend_words(found: Trend, metric: str, level: float) -> str:
    slope = found.slope
    mean, low_to_high = difference_and_interval(slope.mean, slope.low, slope.high)
    interval = f"{percent(level)} interval {low_to_high}, n = {slope.n}"
    change = f"{mean} {metric} for ten times the parameters ({interval})"
    sizes = f"{len(found.sizes)} sizes of {count(found.sizes[0])} to {count(found.sizes[-1])}"
    return f"{found.arm} - {found.baseline} changes by {change}, by a line through {sizes}"


def _holds_table(main: Under, found: Sequence[Held]) -> Table:
    table = plain_table("Does it hold?")
    table.add_column("contrast", overflow="fold", min_width=8)
    table.add_column("under", overflow="fold")
    for title in ("difference", "interval", "change"):
        table.add_column(title, justify="right")
    table.add_column("verdict")
    table.add_column("main verdict")
    for one in found:
        kind = "" if one.kind == one.condition else f"{one.kind} "
        table.add_row(
            Text(f"{one.arm} - {one.baseline}"),
            Text(f"{kind}{one.condition}"),
            *difference_and_interval(one.difference, one.low, one.high),
            _change(one),
            Text(one.verdict),
            Text(one.holds, style=_STYLES.get(one.holds, "yellow")),
        )
    level = percent(1 - main.plan["alpha"])
    table.caption = (
        f"change: from the main experiment, {level} simultaneous interval within seeds"
        if any(one.change for one in found)
        else None
    )
    return table


def _change(one: Held) -> str:
    if one.change is None:
        return ""
    mean, interval = difference_and_interval(one.change.mean, one.change.low, one.change.high)
    return f"{mean} ({interval})"
