"""The same question under other rules, budgets or sizes: does the main answer hold?"""

from collections.abc import Iterator, Sequence

from harness.analysis.effects.holds import Held, Under, held
from harness.analysis.units import difference_and_interval, percent
from harness.analysis.words.holds_view import holds_lines
from harness.report.document import Bullets, Section, Table


def conditions(main: Under, others: Sequence[Under]) -> Iterator[Section]:
    """Show every contrast under every condition, and say what follows."""
    found = held(main, others)
    if found:
        notes = list(holds_lines(main, others, found))
        yield Section("Other conditions", [condition_table(main, others), Bullets(notes)])
    elif main.plan.get("conditions"):
        yield Section("Other conditions", [Bullets(list(holds_lines(main, others, found)))])


def condition_table(main: Under, others: Sequence[Under]) -> Table:
    """Tell of every contrast under every condition that has been run."""
    found = held(main, others)
    level = percent(1 - main.plan["alpha"])
    return Table(
        "Does it hold?",
        ["contrast", "under", "difference", "interval", "n", "change", "verdict", "main verdict"],
        list(map(_row, found)),
        note=f"change: from the main experiment, {level} simultaneous interval within seeds",
        muted=frozenset(i for i, one in enumerate(found) if one.reason is not None),
    )


def _row(one: Held) -> list[str]:
    change = "-"
    if one.change:
        numbers = difference_and_interval(one.change.mean, one.change.low, one.change.high)
        change = f"{numbers[0]} ({numbers[1]})"
    kind = "" if one.kind == one.condition else f"{one.kind} "
    return [
        f"{one.arm} - {one.baseline}",
        f"{kind}{one.condition}",
        *difference_and_interval(one.difference, one.low, one.high),
        str(one.n),
        change,
        one.verdict,
        one.holds,
    ]
