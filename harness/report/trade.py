"""What quality costs: compute multipliers, and the arms that no other one dominates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from harness.analysis.effects.multiplier import Multiplier
from harness.analysis.effects.pareto import COSTS, ParetoArm, pareto
from harness.analysis.verdicts.arms import ArmSummary
from harness.analysis.verdicts.compare import Comparison
from harness.analysis.verdicts.costs import NEGLIGIBLE
from harness.report.document import Table
from harness.store.latency import Latency
from harness.store.tables import Plan

UNITS = {"flops": "FLOPs", "seconds": "seconds"}


def multiplier_table(found: Sequence[Multiplier]) -> Iterator[Table]:
    """Tell how many times less compute the better arm of each pair needs."""
    if not found:
        return
    columns = ["better arm", "than", "in", "times less", "interval", "n", "from", "none because"]
    rows = [
        [
            one.better,
            one.other,
            UNITS[one.unit],
            *_numbers(one),
            str(one.n),
            f"{one.n_points} {one.source}",
            one.reason or "-",
        ]
        for one in found
    ]
    yield Table("Compute for the same loss", columns, rows)


def multiplier_words(found: Sequence[Multiplier], arm: str, baseline: str) -> str:
    """Write the multiplier of a pair in FLOPs: `mqa 1.20 (1.05 to 1.41)`; a dash if none."""
    ours = (one for one in found if {one.better, one.other} == {arm, baseline})
    one = next((one for one in ours if one.unit == "flops" and one.reason is None), None)
    if one is None:
        return "-"
    times, interval = _numbers(one)
    return f"{one.better} {times} ({interval})"


def front_table(
    plan: Plan, runs: pd.DataFrame, comparison: Comparison, latency: Latency | None
) -> Iterator[Table]:
    """Tell for each cost in which arms differ which of them are worth having.

    Seconds are those of the speeds that arms were timed at against each other, if they were.
    """
    rows = []
    is_timed = latency is not None and latency.has_training
    arms = [_timed(arm, latency) for arm in comparison.arms]
    for cost, words in COSTS.items():
        found = pareto(plan, runs, arms, cost)
        if found and max(a.cost for a in found) > (1 + NEGLIGIBLE) * min(a.cost for a in found):
            rows.append([words, ", ".join(_front(found)), _dominated(found) or "none resolved"])
    if rows:
        note = (
            "dominated: another arm costs no more and is resolved to be better; "
            "?: one seems better, which is not resolved"
        ) + ("" if is_timed else "; seconds of runs: beside whatever else the machine did")
        columns = ["against", "on the front, cheapest first", "dominated"]
        yield Table("Quality against each cost", columns, rows, note=note)


def _timed(arm: ArmSummary, latency: Latency | None) -> ArmSummary:
    speed = latency.of(arm.arm) if latency else None
    if not (speed and speed.train_tokens_per_s and arm.tokens_per_param and arm.params):
        return arm
    return replace(arm, seconds=arm.tokens_per_param * arm.params / speed.train_tokens_per_s)


def _front(found: Sequence[ParetoArm]) -> list[str]:
    """Name the arms on the front; those that a cheaper one seems to beat have a question mark."""
    return [arm.arm + "?" * bool(arm.rivals) for arm in found if arm.is_on_the_front]


def _dominated(found: Sequence[ParetoArm]) -> str:
    by: Mapping[str, str] = {a.arm: " and ".join(a.dominated_by) for a in found if a.dominated_by}
    return ", ".join(f"{arm} by {others}" for arm, others in by.items())


def _numbers(one: Multiplier) -> tuple[str, str]:
    if one.reason is not None:
        return "-", "-"
    times = f"{one.estimate:.2f}" if one.estimate else f">{one.most:.2g}"
    low = f"{one.low:.2f}" if one.low else f"below {one.least:.2g}"
    high = f"{one.high:.2f}" if one.high else f"over {one.most:.2g}"
    return times, f"{low} to {high}"
