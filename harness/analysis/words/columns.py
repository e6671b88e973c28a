"""The one table of arms: quality, what each costs, and how fast it is where that was measured.

The terminal, the dashboard and the report draw the same columns.
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness.analysis.statistics.intervals import LEVEL_OF_MEANS
from harness.analysis.units import count, percent, share, size
from harness.analysis.verdicts.arms import ArmSummary, mean_words, says_more_than_params
from harness.analysis.verdicts.compare import Comparison
from harness.store.latency import Latency
from harness.store.tables import Plan


@dataclass(frozen=True)
class Column:
    """A title, broken where a narrow table breaks it, and what it says of an arm."""

    broken_title: str
    words: Callable[[ArmSummary], str]

    @property
    def title(self) -> str:
        """The title on one line."""
        return self.broken_title.replace("/\n", "/").replace("\n", " ")


def quality_columns(comparison: Comparison) -> list[Column]:
    """Return each arm's metric with its interval, and how many of its seeds count."""
    interval = f"{comparison.metric}\n({percent(LEVEL_OF_MEANS)} interval)"
    return [Column(interval, mean_words), Column("n", _seeds)]


def all_columns(comparison: Comparison, plan: Plan, latency: Latency | None) -> list[Column]:
    """Return everything that is known of the arms."""
    speeds = speed_columns(latency) if latency else []
    costs = cost_columns(comparison, plan, latency)
    return [*quality_columns(comparison), *costs, *speeds, *_machine_columns(comparison)]


def cost_columns(comparison: Comparison, plan: Plan, latency: Latency | None) -> list[Column]:
    """Return what is known of the costs; what says nothing beside another column is left out.

    Runs tell how fast they were beside whatever else the machine did, so that this is left out
    where the arms were timed against each other.
    """
    arms = comparison.arms
    found = [Column("params", lambda arm: count(arm.params))]
    if says_more_than_params(arms, "params_active"):
        found.append(Column("a token\nmeets", lambda arm: count(arm.params_active)))
    found.append(Column("FLOPs/\ntoken", lambda arm: count(arm.train_flops_per_token)))
    found.append(Column(_cache_title(plan), lambda arm: size(arm.cache_bytes)))
    if says_more_than_params(arms, "weight_bytes"):
        found.append(Column("weights", lambda arm: size(arm.weight_bytes)))
    if not (latency and latency.has_training):
        found.append(Column("tokens/\ns", lambda arm: count(arm.tokens_per_s)))
    return _telling(found, comparison)


def speed_columns(latency: Latency) -> list[Column]:
    """Return how fast the arms train and answer."""

    def train(arm: ArmSummary) -> str:
        found = latency.of(arm.arm)
        return count(found.train_tokens_per_s if found else None)

    def prefill(arm: ArmSummary) -> str:
        found = latency.of(arm.arm)
        return count(found.prefill_tokens_per_s if found else None)

    def decode(arm: ArmSummary) -> str:
        found = latency.of(arm.arm)
        return f"{found.decode_ms_per_token:.3g}" if found else "-"

    answers = [Column("prefill\ntokens/s", prefill), Column("decode\nms/token", decode)]
    return [*([Column("training\ntokens/s", train)] * latency.has_training), *answers]


def _machine_columns(comparison: Comparison) -> list[Column]:
    columns = {
        "share_of_peak": Column("of peak", lambda arm: share(arm.share_of_peak)),
        "peak_memory": Column("peak\nmemory", lambda arm: size(arm.peak_memory)),
    }
    arms = comparison.arms
    return [column for key, column in columns.items() if any(getattr(arm, key) for arm in arms)]


def _telling(columns: list[Column], comparison: Comparison) -> list[Column]:
    """Leave out the columns that say nothing of any arm."""
    return [c for c in columns if any(c.words(arm) != "-" for arm in comparison.arms)]


def _seeds(arm: ArmSummary) -> str:
    return f"{arm.n}" if arm.n == arm.n_planned else f"{arm.n}/{arm.n_planned}"


def _cache_title(plan: Plan) -> str:
    lengths = {arm["cost"].get("cache_seq_len") for arm in plan["arms"].values()} - {None}
    return f"cache,\nT={lengths.pop()}" if len(lengths) == 1 else "cache"
