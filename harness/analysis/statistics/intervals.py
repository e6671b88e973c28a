"""Means over seeds with Student's interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

LEVEL_OF_MEANS = 0.95
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


def correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return Pearson's correlation; None below three pairs or if one side is constant."""
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _critical(n: int, level: float) -> float:
    return float(special.stdtrit(n - 1, (1 + level) / 2))
