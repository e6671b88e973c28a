"""Make arms equal before they are compared: solve for the size at which a cost agrees."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch

from harness.core.cost import Cost, measure_cost
from harness.core.counts import ParameterCounts, count_parameters
from harness.core.dimension import Dimension
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.errors import AblateError, ConfigError

Axis = Literal["train_flops", "params", "active_params", "non_embedding_params", "kv_bytes"]

MOST_BUILDS = 24  # of models, for one arm
NEARBY = 32  # values that are tried beside one that a component does not take


AXES: dict[Axis, tuple[str, Callable[[Cost], float]]] = {
    "train_flops": ("training FLOPs per token", lambda cost: cost.train_flops_per_token),
    "params": ("parameters", lambda cost: float(cost.params)),
    "active_params": ("active parameters", lambda cost: float(cost.params_active)),
    "non_embedding_params": (
        "non-embedding parameters",
        lambda cost: float(cost.params_non_embedding),
    ),
    "kv_bytes": ("cache bytes", lambda cost: float(cost.cache_bytes)),
}

_COUNTED: dict[Axis, Callable[[ParameterCounts], int]] = {
    "params": lambda counts: counts.unique,
    "active_params": lambda counts: counts.active,
    "non_embedding_params": lambda counts: counts.non_embedding,
}
"""Axes for which a model is built but not run: ten times as fast."""


class MatchNotReached(AblateError):
    """No size brings the arm close enough to the baseline."""


@dataclass(frozen=True)
class Matched:
    """An arm after matching: its variant, its cost and how far it is from the baseline."""

    spec: VariantSpec
    cost: Cost
    residual: float  # (arm - baseline) / baseline, of what was matched
    by: str
    before: int | None  # None: the variant has no such option
    after: int | None

    @classmethod
    def unchanged(cls, spec: VariantSpec, cost: Cost, by: str = "d_ff") -> "Matched":
        """Return a variant that is compared as it is written."""
        try:
            size = Dimension(by).read(spec)
        except ConfigError:
            size = None
        return cls(spec, cost, 0.0, by, size, size)

    def to_dict(self) -> dict[str, Any]:
        """Return what the plan shows."""
        sizes = {"by": self.by, "before": self.before, "after": self.after}
        return {**sizes, "residual": self.residual}


def match(
    spec: VariantSpec,
    target: float,
    axis: Axis,
    tolerance: float,
    seq_len: int,
    by: str = "d_ff",
) -> Matched:
    """Change one dimension until the arm costs what the baseline costs.

    Widths go in steps of 8; in steps of 4, 2 and 1 only where the tolerance asks for it.

    Args:
        spec: The arm.
        target: What the baseline costs, in the unit of `axis`.
        axis: What is made equal.
        tolerance: Largest relative difference allowed.
        seq_len: Tokens at which attention's share, and the cache, is counted.
        by: The dimension.

    Raises:
        MatchNotReached: no size is close enough; the message says how close the best one is, and
            what limits it.
        ConfigError: the variant cannot be built.
    """
    dimension = Dimension(by)
    before = dimension.read(spec)
    residuals = _Residuals(spec, dimension, axis, target, seq_len)
    if abs(residuals[before]) <= 1e-12:  # already equal: leave the size as it was written
        return Matched(spec, measure_cost(spec, seq_len), residuals[before], by, before, before)
    for step in dimension.steps:
        _approach(residuals, before, step, tolerance)
        best = residuals.best(step)
        if abs(residuals[best]) <= tolerance:
            found = dimension.write(spec, best)
            return Matched(found, measure_cost(found, seq_len), residuals[best], by, before, best)
    raise MatchNotReached(_why_not(residuals, axis, tolerance, dimension))


class _Residuals:
    """How far the arm is from the baseline, by the value of the dimension; each built once."""

    def __init__(
        self, spec: VariantSpec, dimension: Dimension, axis: Axis, target: float, seq_len: int
    ) -> None:
        self._spec, self._dimension, self._axis = spec, dimension, axis
        self._target, self._seq_len = target, seq_len
        self.known: dict[int, float] = {}
        self._impossible: set[int] = set()

    def __getitem__(self, value: int) -> float:
        if value not in self.known:
            self.known[value] = self._measure(value) / self._target - 1
        return self.known[value]

    def _measure(self, value: int) -> float:
        spec = self._dimension.write(self._spec, value)
        if self._axis in _COUNTED:
            with torch.device("meta"):
                return float(_COUNTED[self._axis](count_parameters(LanguageModel(spec))))
        return AXES[self._axis][1](measure_cost(spec, self._seq_len))

    def takes(self, value: int) -> bool:
        """Whether the variant can be built with this value."""
        if value in self._impossible or len(self.known) >= MOST_BUILDS:
            return False
        try:
            self[value]
        except (ConfigError, ValueError):
            self._impossible.add(value)
            return False
        return True

    def below(self) -> int | None:
        """Return the largest value that costs less than the baseline."""
        return max((value for value, off in self.known.items() if off < 0), default=None)

    def above(self) -> int | None:
        """Return the smallest value that costs as much as the baseline, or more."""
        return min((value for value, off in self.known.items() if off >= 0), default=None)

    def best(self, step: int = 1) -> int:
        """Return the known value that is closest, of those in this step if one is."""
        on_grid = [value for value in self.known if value % step == 0] or list(self.known)
        return min(on_grid, key=lambda value: (abs(self.known[value]), value))


def _approach(residuals: _Residuals, start: int, step: int, tolerance: float) -> None:
    """Measure values in a step until the closest one is known, or one more could not be built.

    Costs are linear in most dimensions: the first guess between two values is then the last.
    """
    # half as much again is what two matrices need to equal three: the commonest case, at once
    for first in (start, max(3 * start // 2 // step * step, start // step * step + step)):
        residuals.takes(first)
    while len(residuals.known) < MOST_BUILDS:
        low, high = residuals.below(), residuals.above()
        guess = _guess(residuals, low, high, step)
        if guess in residuals.known and abs(residuals.known[guess]) <= tolerance:
            return
        if not any(map(residuals.takes, _untried(residuals, guess, low, high, step))):
            return


def _guess(residuals: _Residuals, low: int | None, high: int | None, step: int) -> int:
    """Return where a line through two values meets the baseline's cost, in a step."""
    ends = sorted(residuals.known)
    if len(ends) == 1:
        return ends[0] // step * step + step
    if low is not None and high is not None and low != high:
        a, b = low, high
    else:
        a, b = (ends[0], ends[1]) if low is None else (ends[-2], ends[-1])
    rise = residuals.known[b] - residuals.known[a]
    if rise == 0 or math.copysign(1, rise) != math.copysign(1, b - a):  # a plateau: go further
        return max(step, (ends[0] // 2 if low is None else 2 * ends[-1]) // step * step)
    root = a - residuals.known[a] * (b - a) / rise
    return max(round(root / step) * step, step)


def _untried(
    residuals: _Residuals, guess: int, low: int | None, high: int | None, step: int
) -> Iterator[int]:
    """Yield values between the two that enclose the root, those near the guess first."""
    for offset in range(NEARBY):
        for value in dict.fromkeys((guess + offset * step, guess - offset * step)):
            inside = (low is None or value > low) and (high is None or value < high)
            if inside and value >= step and value not in residuals.known:
                yield value


def _why_not(residuals: _Residuals, axis: Axis, tolerance: float, dimension: Dimension) -> str:
    label, by, best = AXES[axis][0], dimension.name, residuals.best()
    cannot = f"{label} cannot be matched within {tolerance:.2%} by {by}"
    if len(set(residuals.known.values())) == 1:
        return f"{cannot}: they do not depend on it; name another dimension under `by`"
    closest = f"the closest, {by} = {best}, is off by {residuals[best]:+.2%}"
    low, high = residuals.below(), residuals.above()
    if low is None or high is None:
        limit = f"no {'smaller' if low is None else 'larger'} one can be built"
    else:
        limit = f"one step of it, {low} to {high}, is {residuals[high] - residuals[low]:.2%}"
    return f"{cannot}: {closest}, and {limit}"
