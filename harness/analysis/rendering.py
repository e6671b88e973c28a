"""A comparison for the terminal, in 80 columns or more."""

from collections.abc import Callable

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.arms import ArmSummary, mean_words, says_more_than_params
from harness.analysis.compare import Comparison
from harness.analysis.intervals import LEVEL_OF_MEANS
from harness.analysis.sentences import difference_words, interval_name, interval_words, sentence
from harness.analysis.units import count, percent, size
from harness.analysis.verdict import Verdict
from harness.store.tables import Plan

_BELOW = (0, 0, 1, 0)
"""A blank line after what is padded with it."""
_STYLES = {
    Verdict.BETTER: "green",
    Verdict.WORSE: "red",
    Verdict.NOT_RESOLVED: "yellow",
    Verdict.REFUSED: "magenta",
}


def comparison_tables(comparison: Comparison, plan: Plan) -> list[RenderableType]:
    """Draw the question, the arms, the contrasts and a sentence for each contrast."""
    sentences = [
        Padding(Text(sentence(contrast, plan), style=_STYLES[contrast.verdict]), _BELOW)
        for contrast in comparison.contrasts
    ]
    tables = [arm_table(comparison, plan), contrast_table(comparison)]
    question = Padding(Text(plan["question"] or plan["name"], style="bold"), _BELOW)
    notes = [Text(f"({note})", style="dim") for note in comparison.notes]
    return [question, *(Padding(table, _BELOW) for table in tables), *sentences, *notes]


def arm_table(comparison: Comparison, plan: Plan) -> Table:
    """Draw each arm's metric with its interval and n, and its cost."""
    table = _table()
    table.add_column("arm", overflow="fold", min_width=8)
    interval = f"{comparison.metric}\n{percent(LEVEL_OF_MEANS)} interval"
    costs: dict[str, Callable[[ArmSummary], str]] = {"params": lambda arm: count(arm.params)}
    if says_more_than_params(comparison.arms, "params_active"):
        costs["a token\nmeets"] = lambda arm: count(arm.params_active)
    costs["FLOPs/\ntoken"] = lambda arm: count(arm.train_flops_per_token)
    costs[_cache_title(plan)] = lambda arm: size(arm.cache_bytes)
    if says_more_than_params(comparison.arms, "weight_bytes"):
        costs["weights"] = lambda arm: size(arm.weight_bytes)
    for title in (interval, "n", *costs, "tokens\n/s"):
        table.add_column(title, justify="right", no_wrap=True)
    for arm in comparison.arms:
        table.add_row(
            Text(arm.arm),
            mean_words(arm),
            f"{arm.n}" if arm.n == arm.n_planned else f"{arm.n}/{arm.n_planned}",
            *(words(arm) for words in costs.values()),
            count(arm.tokens_per_s),
        )
    table.caption = "; ".join(map(_losses, filter(_losses, comparison.arms))) or None
    return table


def contrast_table(comparison: Comparison) -> Table:
    """Draw each difference with its simultaneous interval, n, rho and verdict."""
    table = _table(f"Differences in {comparison.metric}, paired by seed")
    table.add_column("contrast", overflow="fold", min_width=8)
    for title in ("difference", "interval", "n", "rho"):
        table.add_column(title, justify="right")
    table.add_column("verdict")
    for contrast in comparison.contrasts:
        table.add_row(
            Text(f"{contrast.arm} - {contrast.baseline}"),
            difference_words(contrast),
            interval_words(contrast),
            str(contrast.n),
            "-" if contrast.rho is None else f"{contrast.rho:.2f}",
            Text(contrast.verdict, style=_STYLES[contrast.verdict]),
        )
    kinds = {c.family: f"{c.family}: {interval_name(c)}" for c in comparison.contrasts}
    table.caption = "; ".join(kinds.values()) or None
    return table


def _table(title: str | None = None) -> Table:
    return Table(
        title=None if title is None else Text(title, style="bold"),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
    )


def _losses(arm: ArmSummary) -> str:
    counts = {"diverged": arm.n_diverged, "failed": arm.n_failed}
    words = [f"{n} {status}" for status, n in counts.items() if n]
    return f"{arm.arm}: {', '.join(words)}" if words else ""


def _cache_title(plan: Plan) -> str:
    lengths = {arm["cost"].get("cache_seq_len") for arm in plan["arms"].values()} - {None}
    return f"cache,\nT={lengths.pop()}" if len(lengths) == 1 else "cache"
