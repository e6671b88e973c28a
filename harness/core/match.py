"""Make arms equal before they are compared: solve for the width at which a cost agrees."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from harness.core.cost import Cost, measure_cost
from harness.core.spec import VariantSpec
from harness.errors import AblateError

Axis = Literal["train_flops", "params", "active_params", "non_embedding_params"]

STEP = 8  # widths stay multiples of this, so that matrix products stay fast

AXES: dict[Axis, tuple[str, Callable[[Cost], float]]] = {
    "train_flops": ("training FLOPs per token", lambda cost: cost.train_flops_per_token),
    "params": ("parameters", lambda cost: float(cost.params)),
    "active_params": ("active parameters", lambda cost: float(cost.params_active)),
    "non_embedding_params": (
        "non-embedding parameters",
        lambda cost: float(cost.params_non_embedding),
    ),
}


class MatchNotReached(AblateError):
    """No width brings the arm close enough to the baseline."""


@dataclass(frozen=True)
class Matched:
    """An arm after matching: its variant, its cost and how far it is from the baseline."""

    spec: VariantSpec
    cost: Cost
    residual: float  # (arm - baseline) / baseline, of what was matched
    d_ff_before: int

    def to_dict(self) -> dict[str, Any]:
        """Return what the plan shows."""
        after = self.spec.dims.d_ff
        return {"residual": self.residual, "d_ff": after, "d_ff_before": self.d_ff_before}


def match_d_ff(
    spec: VariantSpec, target: float, axis: Axis, tolerance: float, seq_len: int
) -> Matched:
    """Change `d_ff`, in steps of 8, until the arm costs what the baseline costs.

    Args:
        spec: The arm.
        target: What the baseline costs, in the unit of `axis`.
        axis: What is made equal.
        tolerance: Largest relative difference allowed.
        seq_len: Tokens at which attention's share is counted.

    Raises:
        MatchNotReached: no width is close enough; the message says how close the best one is.
        ConfigError: the variant cannot be built.
    """
    label, value = AXES[axis]
    before = spec.dims.d_ff
    costs: dict[int, Cost] = {}

    def residual(d_ff: int) -> float:
        if d_ff not in costs:
            costs[d_ff] = measure_cost(spec.resized(d_ff=d_ff), seq_len)
        return value(costs[d_ff]) / target - 1

    if abs(residual(before)) <= 1e-12:  # already equal: leave the width as it was written
        return Matched(spec, costs[before], residual(before), before)
    best = min(_candidates(before, residual), key=lambda d_ff: abs(residual(d_ff)))
    if abs(residual(best)) > tolerance:
        raise MatchNotReached(
            f"{label} cannot be matched within {tolerance:.2%} by d_ff: the closest, "
            f"d_ff = {best}, is off by {residual(best):+.2%} (d_ff goes in steps of {STEP})"
        )
    return Matched(spec.resized(d_ff=best), costs[best], residual(best), before)


def _candidates(start: int, residual: Callable[[int], float]) -> set[int]:
    """Return widths near the root, by secants: costs are linear in d_ff, or nearly so.

    Every width tried costs a build of the model, so a linear cost is asked for three times only.
    """
    # half as much again is what two matrices need to equal three: the commonest case, at once
    near, far = start, max(3 * start // 2 // STEP * STEP, start + STEP)
    tried = {start, far}
    for _ in range(6):
        slope = (residual(far) - residual(near)) / (far - near)
        if slope <= 0:
            break
        root = max(round((near - residual(near) / slope) / STEP) * STEP, STEP)
        if root in tried:
            break
        tried.add(root)
        far, near = near, root
    return tried
