"""Which arms are worth having: quality against a cost, as far as the seeds tell."""

from dataclasses import dataclass

import pandas as pd

from harness.analysis.statistics.blocks import judge_family
from harness.analysis.statistics.intervals import LEAST_PAIRS
from harness.analysis.statistics.values import seed_values
from harness.analysis.statistics.verdict import is_maximised
from harness.analysis.verdicts.arms import ArmSummary
from harness.store.tables import Plan

COSTS = {
    "params": "parameters",
    "params_active": "active parameters",
    "train_flops_per_token": "training FLOPs per token",
    "cache_bytes": "cache bytes",
    "weight_bytes": "weight bytes",
    "seconds": "seconds of training",
    "peak_memory": "peak memory",
}


@dataclass(frozen=True)
class ParetoArm:
    """An arm among the others: its cost, its mean, and what makes it not worth having."""

    arm: str
    cost: float
    mean: float
    dominated_by: tuple[str, ...]
    """Arms that cost no more and are resolved to be better."""
    rivals: tuple[str, ...]
    """Arms that cost no more and have a better mean, but are not resolved to be better."""

    @property
    def is_on_the_front(self) -> bool:
        """Whether no arm dominates it; with rivals, that is as far as is known."""
        return not self.dominated_by


def pareto(plan: Plan, runs: pd.DataFrame, arms: list[ArmSummary], cost: str) -> list[ParetoArm]:
    """Compare all pairs of arms, the cheapest first; arms without the cost or a value are left out.

    All differences are judged together, at the plan's level, over the seeds that all arms have.
    Equal cost and quality dominate nothing: that takes a resolved difference.

    Args:
        plan: The experiment's.
        runs: Its runs.
        arms: Of its comparison.
        cost: A field of an arm's summary, one of `COSTS` for instance.
    """
    known = [arm for arm in arms if getattr(arm, cost) is not None and arm.mean is not None]
    known.sort(key=lambda arm: getattr(arm, cost))
    better = _resolved_better(plan, runs, [arm.arm for arm in known])
    sign = _sign(plan)
    return [_place(arm, known, better, cost, sign) for arm in known]


def _sign(plan: Plan) -> float:
    """Return what makes less of the metric better."""
    stated = plan.get("maximise")
    return -1.0 if (is_maximised(plan["metric"]) if stated is None else stated) else 1.0


def _place(
    arm: ArmSummary, known: list[ArmSummary], better: set[tuple[str, str]], cost: str, sign: float
) -> ParetoArm:
    assert arm.mean is not None
    cheaper = [o for o in known if o is not arm and getattr(o, cost) <= getattr(arm, cost)]
    dominating = tuple(other.arm for other in cheaper if (other.arm, arm.arm) in better)
    lower = (o.arm for o in cheaper if o.mean is not None and sign * o.mean < sign * arm.mean)
    rivals = tuple(name for name in lower if name not in dominating)
    return ParetoArm(arm.arm, float(getattr(arm, cost)), arm.mean, dominating, rivals)


def _resolved_better(plan: Plan, runs: pd.DataFrame, arms: list[str]) -> set[tuple[str, str]]:
    """Return the pairs of which the first is resolved to be better than the second."""
    values = seed_values(plan, runs, plan["metric"])[arms].dropna()
    pairs = [(i, j) for i in range(len(arms)) for j in range(i + 1, len(arms))]
    if not pairs or len(values) < LEAST_PAIRS:
        return set()
    weights = tuple(
        tuple(float(k == i) - float(k == j) for k in range(len(arms))) for i, j in pairs
    )
    estimates = judge_family(values.to_numpy(float).T, weights)
    half = estimates.half_width(1 - plan["alpha"])
    sign = _sign(plan)
    found = set()
    for (i, j), difference, width in zip(pairs, sign * estimates.difference, half, strict=True):
        if difference + width < 0:
            found.add((arms[i], arms[j]))
        elif difference - width > 0:
            found.add((arms[j], arms[i]))
    return found
