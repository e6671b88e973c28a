"""What a comparison holds equal and what it does not, in words that go into every sentence."""

import math
from typing import Any

from harness.core.match import AXES
from harness.experiments.config import Match
from harness.experiments.planned import PlannedArm

NEGLIGIBLE = 0.01  # relative difference up to which a cost counts as equal

COSTS = {
    "params": "parameters",
    "train_flops_per_token": "training FLOPs per token",
    "cache_bytes": "cache bytes",
}


def held_equal(arms: list[PlannedArm], match: Match | None) -> list[str]:
    """Name what all arms share: the matched cost, the budget, the data."""
    equal = []
    if match:
        equal.append(f"{AXES[match.axis][0]} (within {100 * match.tolerance:g} %)")
    budgets = {str(a.arm.train.budget) for a in arms}
    if len(budgets) == 1:
        equal.append(f"the budget ({budgets.pop()})")
    shapes = {(a.arm.train.batch_size, a.arm.train.seq_len) for a in arms}
    if len({repr(a.arm.data) for a in arms}) == 1 and len(shapes) == 1:
        equal.append("the batches")
    optimization = {repr((a.arm.train.optimizer, a.arm.train.schedule)) for a in arms}
    if len(optimization) == 1:
        equal.append("the learning rate and its schedule")
    return equal


def differs(arms: dict[str, PlannedArm], baseline: str) -> list[str]:
    """Name the costs in which arms differ from the baseline, with the relative differences."""
    reference: dict[str, Any] = arms[baseline].matched.cost.to_dict()
    phrases = []
    for key, label in COSTS.items():
        costs = {name: planned.matched.cost.to_dict()[key] for name, planned in arms.items()}
        off = {name: _relative(cost, reference[key]) for name, cost in costs.items()}
        far = [f"{name} {100 * d:+.1f} %" for name, d in off.items() if abs(d) > NEGLIGIBLE]
        if far:
            phrases.append(f"{label} ({', '.join(far)})")
    return phrases


def _relative(cost: float, reference: float) -> float:
    if reference == 0:  # a cache of nothing
        return 0.0 if cost == 0 else math.inf
    return cost / reference - 1
