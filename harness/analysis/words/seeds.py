"""The values behind a mean and the differences behind a contrast, seed by seed."""

import pandas as pd

from harness.analysis.statistics.families import Pair
from harness.analysis.statistics.values import seed_values
from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.verdicts.pairing import pair_up
from harness.store.tables import Plan

BySeed = dict[int, float]


def seed_differences(plan: Plan, runs: pd.DataFrame, contrast: Contrast) -> BySeed:
    """Return the paired differences behind a contrast, by seed."""
    pair = Pair(contrast.name, contrast.arm, contrast.baseline)
    pairs = pair_up(plan, runs, pair, plan["metric"])
    return dict(zip(pairs.seeds, pairs.differences, strict=True))


def values_by_seed(plan: Plan, runs: pd.DataFrame, arm: str) -> BySeed:
    """Return what the mean of an arm is of, by seed."""
    values = seed_values(plan, runs, plan["metric"])[arm].dropna()
    return dict(zip(map(int, values.index), values.tolist(), strict=True))
