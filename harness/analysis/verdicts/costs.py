"""In which costs one arm differs from another."""

import math
from collections.abc import Mapping
from typing import Any

NEGLIGIBLE = 0.01  # relative difference up to which a cost counts as equal

COSTS = {
    "params": "parameters",
    "params_active": "active parameters",
    "train_flops_per_token": "training FLOPs per token",
    "cache_bytes": "cache bytes",
    "weight_bytes": "weight bytes",
}


def cost_differences(arm: Mapping[str, Any], against: Mapping[str, Any]) -> dict[str, float]:
    """Return the relative difference of each cost that differs, by its name in words.

    Active parameters and weight bytes go with the parameters, and are named where they do not.
    """
    arm, against = _with_updates(arm), _with_updates(against)
    # what a plan of an earlier version did not price is not compared
    known = [key for key in COSTS if key in arm and key in against]
    off = {key: _relative(arm[key], against[key]) for key in known}
    for key in ("params_active", "weight_bytes"):
        if abs(off.get(key, 0.0) - off["params"]) <= NEGLIGIBLE:
            off.pop(key, None)
    return {COSTS[key]: by for key, by in off.items() if abs(by) > NEGLIGIBLE}


def signed_percent(difference: float) -> str:
    """Write 0.038 as `+3.8 %`."""
    return f"{100 * difference:+.1f} %"


def _with_updates(cost: Mapping[str, Any]) -> dict[str, Any]:
    """Charge training with what its optimizer computes."""
    key, updates = "train_flops_per_token", cost.get("update_flops_per_token", 0.0)
    return {**cost, key: cost[key] + updates} if key in cost else dict(cost)


def _relative(cost: float, reference: float) -> float:
    if reference == 0:  # a cache of nothing
        return 0.0 if cost == 0 else math.inf
    return cost / reference - 1
