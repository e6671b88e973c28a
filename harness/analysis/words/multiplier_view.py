"""Compute multipliers in sentences and as data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from harness.analysis.effects.decayed import UNITS, decayed_points
from harness.analysis.effects.holds import Under
from harness.analysis.effects.multiplier import Multiplier, multiplier
from harness.analysis.units import percent

_WORDS = {"flops": "FLOPs", "seconds": "seconds"}


def multipliers(main: Under, others: Sequence[Under]) -> list[Multiplier]:
    """Return those of every contrast, in FLOPs and in seconds; none without several budgets."""
    points = decayed_points(main, others)
    if points is None:
        return []
    level = 1 - main.plan["alpha"]
    pairs = [(contrast.arm, contrast.baseline) for contrast in main.comparison.contrasts]
    return [multiplier(points, *pair, unit, level) for pair in pairs for unit in UNITS]


def multiplier_lines(main: Under, others: Sequence[Under]) -> Iterator[str]:
    """Say how much less compute each better arm needs."""
    for found in multipliers(main, others):
        if found.reason is None:
            yield _sentence(found, main.plan["metric"], percent(1 - main.plan["alpha"]))
        elif found.unit == UNITS[0]:
            pair = f"{found.better} against {found.other}"
            yield f"compute multiplier of {pair}: none, {found.reason}"


def multipliers_dict(main: Under, others: Sequence[Under]) -> dict[str, Any]:
    """Return the same as plain data."""
    return {"multipliers": [asdict(found) for found in multipliers(main, others)]}


def _sentence(found: Multiplier, metric: str, level: str) -> str:
    times = _times(found.estimate, f"more than {found.most:.2g}")
    low = _times(found.low, f"below {found.least:.2g}")
    high = _times(found.high, f"over {found.most:.2g}")
    reaches = f"{found.better} reaches the {metric} of {found.other} with {times} times fewer"
    basis = f"{found.n_points} {found.source if found.source == 'budgets' else 'decayed points'}"
    interval = f"{level} interval {low} to {high}, n = {found.n}, {basis}"
    return f"{reaches} {_WORDS[found.unit]} ({interval})"


def _times(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:.2f}"
