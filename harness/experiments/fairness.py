"""What a comparison holds equal and what it does not, in words that go into every sentence."""

from harness.analysis.costs import cost_differences, signed_percent
from harness.core.match import AXES
from harness.experiments.config import Match
from harness.experiments.planned import PlannedArm


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
    """Name the costs in which arms differ from the baseline, and weights not of their seed."""
    costs = {name: planned.matched.cost.to_dict() for name, planned in arms.items()}
    by_cost: dict[str, list[str]] = {}
    for name, cost in costs.items():
        for label, difference in cost_differences(cost, costs[baseline]).items():
            by_cost.setdefault(label, []).append(f"{name} {signed_percent(difference)}")
    weights = {name: planned.arm.init_from for name, planned in arms.items()}
    if others := [name for name in arms if weights[name] != weights[baseline]]:
        by_cost["initial weights"] = others
    return [f"{label} ({', '.join(by_arm)})" for label, by_arm in by_cost.items()]
