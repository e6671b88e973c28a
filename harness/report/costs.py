"""What each arm costs, in one table with what it reaches."""

from collections.abc import Sequence

from harness.analysis.effects.multiplier import Multiplier
from harness.analysis.statistics.intervals import LEVEL_OF_MEANS
from harness.analysis.units import percent
from harness.analysis.verdicts.arms import mean_words
from harness.analysis.verdicts.compare import Comparison, Evaluations
from harness.analysis.words.columns import all_columns
from harness.report.document import Section, Table
from harness.report.trade import front_table, multiplier_table
from harness.store.experiments import ExperimentTables
from harness.store.latency import Latency
from harness.store.tables import Plan

_TOKENS_PER_S = "tokens/s: of training, beside whatever else the machine did"


def costs(
    tables: ExperimentTables, comparison: Comparison, multipliers: Sequence[Multiplier]
) -> Section:
    """Show quality and every cost, arm by arm, and what they make of each other."""
    plan = tables.plan
    shown = [cost_table(plan, comparison, tables.latency)]
    shown += front_table(plan, tables.runs, comparison)
    shown += multiplier_table(multipliers)
    if evaluations := comparison.other_evaluations:
        shown.append(_evaluations(comparison, evaluations))
    return Section("Quality and cost", shown)


def cost_table(plan: Plan, comparison: Comparison, latency: Latency | None) -> Table:
    """Tell of each arm its metric and every cost that is known."""
    columns = all_columns(comparison, plan, latency)
    timed = f"speeds: {latency.words}" if latency else ""
    beside = "" if latency and latency.has_training else _TOKENS_PER_S
    return Table(
        "Arms",
        ["arm", *(column.title for column in columns)],
        [[arm.arm, *(column.words(arm) for column in columns)] for arm in comparison.arms],
        note="; ".join(filter(None, (beside, timed))),
    )


def _evaluations(comparison: Comparison, metrics: Evaluations) -> Table:
    return Table(
        f"On other data, with {percent(LEVEL_OF_MEANS)} intervals",
        ["arm", *metrics],
        [
            [arm.arm, *(mean_words(by_arm[arm.arm]) for by_arm in metrics.values())]
            for arm in comparison.arms
        ],
    )
