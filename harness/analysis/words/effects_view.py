"""The effects of a factor design for the terminal and as data."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pandas as pd
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.effects.designed import INTERACTION, MAIN, effects_in, levels_of
from harness.analysis.effects.effects import INTERACTS, Effect, analysis_of_variance, effects
from harness.analysis.statistics.verdict import Verdict
from harness.analysis.units import difference_and_interval, percent
from harness.store.tables import Plan
from harness.terminal import plain_table

_MEANINGS = {
    MAIN: "a level less the first one, averaged over the other factors",
    INTERACTION: "how much more one change does together with the other",
}
_STYLES = {
    Verdict.BETTER: "green",
    Verdict.WORSE: "red",
    Verdict.NOT_RESOLVED: "yellow",
    Verdict.REFUSED: "magenta",
    INTERACTS: "cyan",
}
_ONE_BY_ONE = {
    "one_at_a_time": "each contrast with the baseline is one change, others at their first level",
    "leave_one_out": "each contrast with the baseline is one change taken back from all together",
}
_BELOW = (0, 0, 1, 0)


def effects_tables(plan: Plan, runs: pd.DataFrame) -> list[RenderableType]:
    """Draw effects, interactions and the analysis of variance; nothing of plans without factors."""
    found = effects(plan, runs)
    tables: list[RenderableType] = [
        _effects_table(plan, [one for one in found if one.kind == kind])
        for kind in (MAIN, INTERACTION)
        if any(one.kind == kind for one in found)
    ]
    if (variance := analysis_of_variance(plan, runs)) is not None:
        tables.append(_variance_table(variance))
    padded = [Padding(table, _BELOW) for table in tables]
    return [*padded, *(Text(f"({line})", style="dim") for line in design_lines(plan))]


def effects_dict(plan: Plan, runs: pd.DataFrame) -> dict[str, Any]:
    """Return the same as plain data; empty for a plan without factors."""
    if not levels_of(plan):
        return {}
    variance = analysis_of_variance(plan, runs)
    return {
        "effects": [
            asdict(effect) | {"verdict": str(effect.verdict)} for effect in effects(plan, runs)
        ],
        "anova": []
        if variance is None
        else [
            {"source": source, **{key: None if pd.isna(x) else x for key, x in row.items()}}
            for source, row in variance.to_dict("index").items()
        ],
    }


def design_lines(plan: Plan) -> Iterator[str]:
    """Say what a design that is not complete cannot tell."""
    way = (plan.get("factors") or {}).get("combine")
    if way in _ONE_BY_ONE:
        yield f"{way}: {_ONE_BY_ONE[way]}; nothing is averaged, and no interaction can be seen"
    if way == "fractional":
        n_arms, n_all = len(plan["arms"]), 2 ** len(levels_of(plan))
        taken = "interactions of three or more are taken to be nothing"
        yield f"a fraction, {n_arms} of {n_all} combinations: {taken}"
        for effect in effects_in(plan):
            if effect.aliases:
                yield f"{effect.name} cannot be told from {' and '.join(effect.aliases)}"


def _effects_table(plan: Plan, found: list[Effect]) -> Table:
    kind, size = found[0].kind, found[0].family_size
    table = plain_table(f"{kind.capitalize()} in {plan['metric']}: {_MEANINGS[kind]}")
    table.add_column("effect", overflow="fold", min_width=8)
    for title in ("difference", "interval", "n"):
        table.add_column(title, justify="right")
    table.add_column("verdict")
    for effect in found:
        reason = f": {effect.reason}" if effect.reason else ""
        table.add_row(
            Text(" = ".join([effect.name, *effect.aliases])),
            *difference_and_interval(effect.difference, effect.low, effect.high),
            str(effect.n),
            Text(f"{effect.verdict}{reason}", style=_STYLES[effect.verdict]),
        )
    together = "simultaneous " if size > 1 else ""
    table.caption = f"{percent(found[0].level)} {together}intervals, seeds as blocks"
    return table


def _variance_table(variance: pd.DataFrame) -> Table:
    table = plain_table("Analysis of variance, seeds as blocks")
    table.add_column("source", overflow="fold")
    for title in ("sum of squares", "df", "F", "p"):
        table.add_column(title, justify="right")
    for source, row in variance.iterrows():
        tested = not pd.isna(row["F"])
        table.add_row(
            str(source),
            f"{row['sum_sq']:.4g}",
            f"{row['df']:.0f}",
            f"{row['F']:.2f}" if tested else "",
            f"{row['p']:.3g}" if tested else "",
        )
    return table
