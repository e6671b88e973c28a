"""The values behind a mean and the differences behind a contrast, seed by seed."""

import pandas as pd

from harness.analysis.contrasts import Contrast
from harness.analysis.families import Pair
from harness.analysis.pairing import pair_up, usable
from harness.store.tables import Plan


def seed_differences(plan: Plan, runs: pd.DataFrame, contrast: Contrast) -> dict[int, float]:
    """Return the paired differences behind a contrast, by seed."""
    pair = Pair(contrast.name, contrast.arm, contrast.baseline)
    return {
        seed: difference
        for seed in plan["seeds"]
        for difference in pair_up(runs[runs["seed"] == seed], pair, plan["metric"]).differences
    }


def values_by_seed(plan: Plan, runs: pd.DataFrame, arm: str) -> dict[int, float]:
    """Return what the mean of an arm is of, by seed."""
    metric = plan["metric"]
    ours = usable(runs[runs["arm"] == arm], metric)
    means = ours.groupby("seed", as_index=False)[metric].mean()
    return dict(zip(means["seed"].tolist(), means[metric].tolist(), strict=True))
