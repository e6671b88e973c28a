"""A comparison for the terminal, in 80 columns or more."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.statistics.intervals import LEVEL_OF_MEANS
from harness.analysis.statistics.power import POWER
from harness.analysis.statistics.verdict import Verdict
from harness.analysis.units import percent, share, size
from harness.analysis.verdicts.arms import ArmSummary, mean_words
from harness.analysis.verdicts.compare import Comparison
from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.words.columns import Column, cost_columns, quality_columns, speed_columns
from harness.analysis.words.numbers import difference_words, interval_name, interval_words, p_words
from harness.analysis.words.sentences import sentence
from harness.store.latency import Latency
from harness.store.tables import Plan
from harness.terminal import plain_table

_BELOW = (0, 0, 1, 0)
"""A blank line after what is padded with it."""
_STYLES = {
    Verdict.BETTER: "green",
    Verdict.WORSE: "red",
    Verdict.EQUAL: "cyan",
    Verdict.TRIVIAL: "cyan",
    Verdict.NOT_RESOLVED: "yellow",
    Verdict.REFUSED: "magenta",
}


def comparison_tables(
    comparison: Comparison, plan: Plan, latency: Latency | None = None
) -> list[RenderableType]:
    """Draw the question, the arms, the contrasts and a sentence for each contrast."""
    sentences = [Padding(_in_words(contrast, plan), _BELOW) for contrast in comparison.contrasts]
    others = [evaluation_table(comparison)] if comparison.other_evaluations else []
    speeds = [speed_table(comparison, latency)] if latency else []
    tables = [arm_table(comparison, plan, latency), *speeds, *others, contrast_table(comparison)]
    question = Padding(Text(plan["question"] or plan["name"], style="bold"), _BELOW)
    notes = [Text(f"({note})", style="dim") for note in comparison.notes]
    return [question, *(Padding(table, _BELOW) for table in tables), *sentences, *notes]


def _in_words(contrast: Contrast, plan: Plan) -> Text:
    labels = f" [{', '.join(contrast.labels)}]" if contrast.labels else ""
    words = Text(sentence(contrast, plan), style=_STYLES[contrast.verdict])
    return words + Text(labels, style="dim")


def arm_table(comparison: Comparison, plan: Plan, latency: Latency | None = None) -> Table:
    """Draw each arm's metric with its interval and n, and its cost."""
    columns = [*quality_columns(comparison), *cost_columns(comparison, plan, latency)]
    table = _table_of_arms(comparison, columns)
    below = [*map(_losses, comparison.arms), _of_the_machine(comparison.arms)]
    table.caption = "; ".join(filter(None, below)) or None
    return table


def speed_table(comparison: Comparison, latency: Latency) -> Table:
    """Draw how fast each arm trains and answers."""
    table = _table_of_arms(comparison, speed_columns(latency), "Speed")
    table.caption = latency.words
    return table


def _table_of_arms(
    comparison: Comparison, columns: list[Column], title: str | None = None
) -> Table:
    table = plain_table(title)
    table.add_column("arm", overflow="fold", min_width=8)
    for column in columns:
        table.add_column(column.broken_title, justify="right", no_wrap=True)
    for arm in comparison.arms:
        table.add_row(Text(arm.arm), *(column.words(arm) for column in columns))
    return table


def evaluation_table(comparison: Comparison) -> Table:
    """Draw each arm's means on what runs are scored on besides, with their intervals."""
    table = plain_table(f"On other data, with {percent(LEVEL_OF_MEANS)} intervals")
    table.add_column("arm", overflow="fold", min_width=8)
    for metric in comparison.other_evaluations:
        table.add_column(metric.replace("/", "/\n"), justify="right")
    for arm in comparison.arms:
        means = [by_arm[arm.arm] for by_arm in comparison.other_evaluations.values()]
        table.add_row(Text(arm.arm), *map(mean_words, means))
    return table


def contrast_table(comparison: Comparison) -> Table:
    """Draw each difference with its simultaneous interval, adjusted p, n, rho and verdict."""
    table = plain_table(f"Differences in {comparison.metric}, paired by seed")
    table.add_column("contrast", overflow="fold", min_width=8)
    for title in ("difference", "interval", "p", "n", "rho"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdict")
    for contrast in comparison.contrasts:
        table.add_row(
            Text(f"{contrast.arm} - {contrast.baseline}"),
            difference_words(contrast),
            interval_words(contrast),
            p_words(contrast),
            str(contrast.n),
            "-" if contrast.rho is None else f"{contrast.rho:.2f}",
            Text(contrast.verdict, style=_STYLES[contrast.verdict]),
        )
    kinds = {c.family: f"{c.family}: {interval_name(c)}" for c in comparison.contrasts}
    below = [*kinds.values(), *_resolution(comparison.contrasts)]
    table.caption = "; ".join(below) or None
    return table


def _resolution(contrasts: Sequence[Contrast]) -> Iterator[str]:
    """Say what the seeds could have shown, and what would not matter."""
    seen = [contrast.detectable for contrast in contrasts if contrast.detectable]
    if seen:
        ends = " to ".join(dict.fromkeys(f"{one:.2g}" for one in (min(seen), max(seen))))
        yield f"detectable with power {POWER}: {ends}"
    yield from {f"margin: {contrast.margin:.2g}" for contrast in contrasts if contrast.margin}


def _losses(arm: ArmSummary) -> str:
    counts = {"diverged": arm.n_diverged, "failed": arm.n_failed}
    words = [f"{n} {status}" for status, n in counts.items() if n]
    return f"{arm.arm}: {', '.join(words)}" if words else ""


def _of_the_machine(arms: Sequence[ArmSummary]) -> str:
    """Say what the runs took of the machine they were trained on, if that was measured."""
    memory = [arm.peak_memory for arm in arms if arm.peak_memory]
    shares = [arm.share_of_peak for arm in arms if arm.share_of_peak]
    if not memory or not shares:
        return ""
    ends = " to ".join(dict.fromkeys(share(one) for one in (min(shares), max(shares))))
    return f"training held {size(max(memory))} at most, at {ends} of the machine's matmul speed"
