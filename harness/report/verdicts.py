"""What may be claimed: sentences, a chart of intervals, and the table behind them."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from harness.analysis.effects.multiplier import Multiplier
from harness.analysis.statistics.power import POWER
from harness.analysis.statistics.verdict import Verdict
from harness.analysis.verdicts.compare import Comparison
from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.words.numbers import (
    difference_words,
    interval_name,
    interval_words,
    narrow_name,
)
from harness.analysis.words.seeds import seed_differences
from harness.analysis.words.sentences import sentence
from harness.analysis.words.titles import title
from harness.report.charts.intervals import IntervalRow, interval_chart
from harness.report.contrast_columns import CLAIM, Words, contrast_columns
from harness.report.document import Block, Bullets, Claim, Figure, Section, Table
from harness.report.style import arm_classes
from harness.store.tables import Plan

_MEANINGS = (
    "sd: of the differences; rho: what pairing gained; detectable: the smallest true difference "
    f"that these seeds show with power {POWER}"
)


def verdicts(
    plan: Plan, runs: pd.DataFrame, comparison: Comparison, multipliers: Sequence[Multiplier]
) -> Section:
    """Say what may be claimed, draw the differences, and show every number behind them."""
    blocks: list[Block] = [
        Claim(str(contrast.verdict), sentence(contrast, plan), contrast.labels)
        for contrast in comparison.contrasts
    ]
    if comparison.notes:
        blocks.append(Bullets(comparison.notes))
    blocks += _chart(plan, runs, comparison)
    return Section("Verdicts", [*blocks, *_tables(plan, comparison, multipliers)])


def verdict_table(
    plan: Plan, comparison: Comparison, multipliers: Sequence[Multiplier] = ()
) -> Table:
    """Tell of each contrast everything that the verdict rests on."""
    title = f"Differences in {comparison.metric}, paired by seed"
    columns = contrast_columns(plan, comparison, multipliers)
    return _table(title, comparison, columns, _intervals(comparison))


def _tables(plan: Plan, comparison: Comparison, multipliers: Sequence[Multiplier]) -> list[Table]:
    """The same in two tables, each of which fits on a page: the claims, and what they rest on."""
    columns = contrast_columns(plan, comparison, multipliers)
    claims = {title: words for title, words in columns.items() if title in CLAIM}
    others = {title: words for title, words in columns.items() if title not in CLAIM}
    title = f"Differences in {comparison.metric}, paired by seed"
    return [
        _table(title, comparison, claims, _intervals(comparison)),
        _table("What they rest on", comparison, others, _MEANINGS),
    ]


def _table(title: str, comparison: Comparison, columns: Mapping[str, Words], note: str) -> Table:
    contrasts = comparison.contrasts
    return Table(
        title,
        ["contrast", *columns],
        [[f"{c.arm} - {c.baseline}", *(words(c) for words in columns.values())] for c in contrasts],
        note=note,
        muted=frozenset(i for i, c in enumerate(contrasts) if c.verdict is Verdict.REFUSED),
    )


def _intervals(comparison: Comparison) -> str:
    """Name the kinds of intervals."""
    narrow = comparison.margin is not None
    kinds = (
        f"{c.family}: {interval_name(c)}" + (f", narrow {narrow_name(c)}" if narrow else "")
        for c in comparison.contrasts
    )
    return "; ".join(dict.fromkeys(kinds))


def _chart(plan: Plan, runs: pd.DataFrame, comparison: Comparison) -> Iterator[Figure]:
    shown = [c for c in comparison.contrasts if c.difference is not None]
    if not shown:
        return
    classes = arm_classes(plan)
    rows = [
        _row(contrast, seed_differences(plan, runs, contrast), classes[contrast.arm])
        for contrast in shown
    ]
    what = f"Difference in {title(comparison.metric)}"
    margin = comparison.margin.value if comparison.margin else None
    kinds = ", ".join(dict.fromkeys(interval_name(contrast) for contrast in shown))
    caption = f"Diamonds and bars: differences paired by seed with their {kinds}; dots: seeds."
    if margin:
        caption += f" Grey: practically equal, within {margin:g}."
    svg = interval_chart(what, what.lower(), rows, around_zero=True, margin=margin)
    yield Figure("differences", svg, f"{what} of each contrast, with intervals", caption)


def _row(contrast: Contrast, by_seed: Mapping[int, float], style: str) -> IntervalRow:
    return IntervalRow(
        label=f"{contrast.arm} - {contrast.baseline}",
        said=f"{contrast.verdict}: {difference_words(contrast)} ({interval_words(contrast)})",
        style=style,
        value=contrast.difference,
        low=contrast.low,
        high=contrast.high,
        seeds={f"seed {seed}: {value:+.4g}": value for seed, value in by_seed.items()},
        muted=contrast.verdict is Verdict.REFUSED,
    )
