"""What matching has left, as a loss: its size beside the margin of a difference in practice."""

import math
from collections.abc import Iterator

from harness.analysis.units import share
from harness.analysis.verdicts.margin import COMPUTE
from harness.store.tables import Plan

MOST = 0.25
"""Of the margin: a residual worth more could make a difference that matters."""
_NO_COMPUTE = {"kv_bytes"}
"""Matched costs that buy no loss."""


def share_of_margin(plan: Plan, arm: str) -> float | None:
    """Return what the residual of an arm is expected to gain or lose, over the margin.

    The loss falls in a line with the logarithm of compute, and the margin `auto` is what 5 % of it
    buys, so that the slope cancels. Parameters count as compute: at equal tokens they are in
    proportion. None: nothing was matched, or the margin is not in units of compute.
    """
    if plan.get("practical") != "auto" or not plan.get("match"):
        return None
    if plan["match"]["axis"] in _NO_COMPUTE:
        return None
    residual = plan["arms"][arm]["matched"]["residual"]
    return abs(math.log1p(residual)) / math.log1p(COMPUTE)


def is_worth_too_much(plan: Plan, arm: str) -> bool:
    """Whether an arm's residual is worth more than a quarter of the margin."""
    return (share_of_margin(plan, arm) or 0.0) > MOST


def residual_lines(plan: Plan) -> Iterator[str]:
    """Say what the largest residual is worth."""
    worth = {arm: found for arm in plan["arms"] if (found := share_of_margin(plan, arm))}
    if not worth:
        return
    arm = max(worth, key=worth.__getitem__)
    residual = f"{plan['arms'][arm]['matched']['residual']:+.2%}"
    told = f"what matching left ({arm}: {residual}) is worth {share(worth[arm])} of the margin"
    yield told if worth[arm] <= MOST else f"{told}, more than a quarter: match more closely"
