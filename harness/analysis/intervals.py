"""Confidence intervals of means and of paired differences, and what they can resolve.

Several contrasts judged together get simultaneous intervals: each at the level `level ** (1/m)`.

Source: Z. Šidák, "Rectangular confidence regions for the means of multivariate normal
distributions", JASA 62 (1967) 626-633: exact for independent contrasts and conservative for
correlated normal ones, such as those that share a baseline. Each contrast keeps a standard
deviation of its own, so arms may be unequally noisy; that this covers is checked by simulation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

LEVEL_OF_MEANS = 0.95
POWER = 0.8
MOST_SEEDS = 200
LEAST_PAIRS = 4
"""With three, only a difference over three times its own noise could be seen."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its t-interval; what n = 0 or 1 leaves undefined is None."""

    n: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None

    @property
    def is_constant(self) -> bool:
        """Whether the values agree to rounding, so that they say nothing about noise."""
        return self.sd is not None and self.sd <= 1e-12 * abs(self.mean or 0.0)


def estimate(values: Sequence[float] | NDArray[np.float64], level: float) -> Estimate:
    """Estimate the mean of independent values, with a two-sided interval at `level` (0 to 1)."""
    n = len(values)
    if n == 0:
        return Estimate(0, None, None, None, None)
    mean = float(np.mean(values))
    if n == 1:
        return Estimate(1, mean, None, None, None)
    sd = float(np.std(values, ddof=1))
    half_width = _critical(n, level) * sd / math.sqrt(n)
    return Estimate(n, mean, sd, mean - half_width, mean + half_width)


def sidak_level(level: float, comparisons: int) -> float:
    """Return the level of each of several intervals that hold together at `level`."""
    return float(level ** (1 / comparisons))


def correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return Pearson's correlation; None below three pairs or if one side is constant."""
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def smallest_detectable(n: int, sd: float, level: float) -> float | None:
    """Return the true difference that n pairs would show with power 0.8; None below two pairs.

    `sd` is that of the paired differences. The noncentrality at which a two-sided t-test at
    `level` has that power, the other tail neglected (below 1e-3).
    """
    if n < 2:
        return None
    noncentrality = special.nctdtrinc(n - 1, 1 - POWER, _critical(n, level))
    return float(noncentrality * sd / math.sqrt(n))


def seeds_needed(effect: float, sd: float, level: float) -> int | None:
    """Return the least number of pairs that would show `effect` with power 0.8; None over 200."""
    if not effect:
        return None
    for n in range(LEAST_PAIRS, MOST_SEEDS + 1):
        detectable = smallest_detectable(n, sd, level)
        assert detectable is not None  # there are two pairs or more
        if detectable <= abs(effect):
            return n
    return None


def _critical(n: int, level: float) -> float:
    return float(special.stdtrit(n - 1, (1 + level) / 2))
