"""What each factor of a design does: main effects, interactions, analysis of variance."""

from collections.abc import Iterator

import pandas as pd

from harness.analysis.effects.designed import INTERACTION, MAIN
from harness.analysis.effects.effects import Effect, analysis_of_variance, effects
from harness.analysis.units import difference_and_interval, percent
from harness.analysis.words.effects_view import design_lines
from harness.analysis.words.titles import title
from harness.report.charts.intervals import IntervalRow, interval_chart
from harness.report.document import Block, Bullets, Figure, Section, Table
from harness.store.tables import Plan

_MEANINGS = {
    MAIN: "a level less the first one, averaged over the other factors",
    INTERACTION: "how much more one change does together with the other",
}


def factors(plan: Plan, runs: pd.DataFrame) -> Iterator[Section]:
    """Draw and list the effects of a design; nothing of a plan without factors."""
    shown = [one for one in effects(plan, runs) if one.difference is not None]
    blocks: list[Block] = [_chart(plan, shown)] if shown else []
    blocks += effect_tables(plan, runs)
    if lines := list(design_lines(plan)):
        blocks.append(Bullets(lines))
    if blocks:
        yield Section("Effects", blocks)


def effect_tables(plan: Plan, runs: pd.DataFrame) -> Iterator[Table]:
    """List main effects, interactions and the analysis of variance, those that there are."""
    found = effects(plan, runs)
    for kind, meaning in _MEANINGS.items():
        if ours := [one for one in found if one.kind == kind]:
            yield _table(f"{kind.capitalize()}: {meaning}", ours)
    if (variance := analysis_of_variance(plan, runs)) is not None:
        yield _variance(variance)


def _chart(plan: Plan, found: list[Effect]) -> Figure:
    rows = [
        IntervalRow(
            label=_name(one),
            said=f"{one.verdict}: {difference_and_interval(one.difference, one.low, one.high)[0]}",
            style=f"a{i % 8}",
            value=one.difference,
            low=one.low,
            high=one.high,
            seeds={},
            muted=one.reason is not None,
        )
        for i, one in enumerate(found)
    ]
    what = f"Effects in {title(plan['metric'])}"
    svg = interval_chart(what, what.lower(), rows, around_zero=True)
    caption = f"Diamonds and bars: effects with their {_level(found)}."
    return Figure("effects", svg, f"{what}, with intervals", caption)


def _table(heading: str, found: list[Effect]) -> Table:
    rows = []
    for one in found:
        numbers = difference_and_interval(one.difference, one.low, one.high)
        reason = f": {one.reason}" if one.reason else ""
        rows.append([_name(one), *numbers, str(one.n), f"{one.verdict}{reason}"])
    muted = frozenset(i for i, one in enumerate(found) if one.reason is not None)
    columns = ["effect", "difference", "interval", "n", "verdict"]
    return Table(heading, columns, rows, note=f"{_level(found)}, seeds as blocks", muted=muted)


def _name(effect: Effect) -> str:
    """Name an effect with those that it cannot be told from."""
    return " = ".join([effect.name, *effect.aliases])


def _level(found: list[Effect]) -> str:
    together = "simultaneous " if any(one.family_size > 1 for one in found) else ""
    return f"{percent(found[0].level)} {together}intervals"


def _variance(variance: pd.DataFrame) -> Table:
    rows = []
    for source, row in variance.iterrows():
        tested = not pd.isna(row["F"])
        found = [f"{row['F']:.2f}", f"{row['p']:.3g}"] if tested else ["-", "-"]
        rows.append([str(source), f"{row['sum_sq']:.4g}", f"{row['df']:.0f}", *found])
    heading = "Analysis of variance, seeds as blocks"
    return Table(heading, ["source", "sum of squares", "df", "F", "p"], rows)
