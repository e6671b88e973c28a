"""How an effect changes with size: a line, where there are sizes enough for one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.effects.holds import Under, effect_by_seed
from harness.analysis.statistics.intervals import LEAST_PAIRS, Estimate, estimate

LEAST_SIZES = 4
"""Through two or three sizes a line goes nearly whatever they show."""


@dataclass(frozen=True)
class Trend:
    """The slope of a contrast's difference against the size of its baseline."""

    name: str
    arm: str
    baseline: str
    sizes: tuple[float, ...]
    """Parameters of the baseline, smallest first."""
    slope: Estimate
    """For ten times the parameters; negative: the difference falls."""


def trend(sizes: Sequence[Under], name: str, arm: str, baseline: str, level: float) -> Trend | None:
    """Fit a line of effect against log10 of parameters at each seed, and average the slopes.

    So seeds are blocks, and what is left of the line at a seed is noise among others. That the
    effect changes in a line is assumed, not tested. None: fewer than four sizes, or seeds.
    """
    if len(sizes) < LEAST_SIZES:  # also an experiment whose runs were made elsewhere
        return None
    params = [float(size.plan["arms"][baseline]["cost"]["params"]) for size in sizes]
    if len(set(params)) < LEAST_SIZES:
        return None
    columns = [effect_by_seed(size.plan, size.runs, arm, baseline) for size in sizes]
    effects = pd.concat(columns, axis=1).dropna().to_numpy(dtype=float)  # seed, size
    if len(effects) < LEAST_PAIRS:
        return None
    x = np.array([math.log10(n) for n in params])
    centred = x - x.mean()
    slopes = effects @ centred / (centred @ centred)
    return Trend(name, arm, baseline, tuple(sorted(params)), estimate(slopes.tolist(), level))
