"""How many seeds a question takes, from the spread that a pilot shows and nothing else.

Source: C. Stein, "A two-sample test for a linear hypothesis whose power is independent of the
variance", Ann. Math. Statist. 16 (1945) 243-258. The number of seeds depends on the variance of the
pilot, which says nothing about the means. The final interval takes all seeds for the difference,
but the pilot's variance and degrees of freedom, and so covers at its level whatever number came
out. What differs: several contrasts get one number, the largest, and simultaneous intervals.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.statistics.blocks import Estimates, judge_family
from harness.analysis.statistics.families import families
from harness.analysis.statistics.intervals import LEAST_PAIRS
from harness.analysis.statistics.values import seed_values
from harness.store.tables import Plan


def pilot_notes(plan: Plan) -> Iterator[str]:
    """Say how the number of seeds was found, if a pilot did."""
    if not (rule := plan.get("seeds_rule")):
        return
    n, pilot = len(plan["seeds"]), rule["pilot"]
    goal = f"half an interval of {rule['resolve']:g} {plan['metric']} at most"
    found = f"a pilot of {pilot} seeds asks for {n}" if n > pilot else f"{n} seeds, the pilot alone"
    most = ", which is all that were allowed" if n == rule["max"] else ""
    yield f"number of seeds: {found}{most} ({goal})"


def seeds_after_pilot(plan: Plan, runs: pd.DataFrame) -> int:
    """Return how many seeds there should be in all, from the pilot's number to the largest allowed.

    So many that half the interval of the primary contrast, or of each one if none is primary, is
    `resolve` at most. A pilot with fewer than four complete seeds says nothing, and is left as it
    is: its verdicts will be refused.
    """
    rule = plan["seeds_rule"]
    family = families(plan)[0]  # the primary one, if there is one
    pilot = plan["seeds"][: rule["pilot"]]
    values = seed_values(plan, runs, plan["metric"]).reindex(pilot)[family.arms].dropna()
    if len(values) < LEAST_PAIRS:
        return int(rule["pilot"])
    found = judge_family(values.to_numpy(float).T, family.contrasts)
    return int(seeds_wanted(found, plan["alpha"], rule["resolve"], len(values), rule["max"]))


def stretched(estimates: Estimates, alpha: float, resolve: float) -> Estimates:
    """Widen a family until half of its widest interval is what seeds were added for.

    It would be a little less, as seeds come whole. Stein's interval has the width that was asked
    for, and covers more often than its level says for that.
    """
    widest = estimates.half_width(1 - alpha).max(axis=-1, keepdims=True)
    return replace(estimates, seed_error=estimates.seed_error * np.maximum(resolve / widest, 1.0))


def seeds_wanted(
    pilot: Estimates, alpha: float, resolve: float, n: int, most: int
) -> NDArray[np.int64]:
    """Return the seeds at which half of a family's widest interval is `resolve` at most.

    Args:
        pilot: The estimates from `n` seeds; also of thousands of experiments.
        alpha: Of the intervals.
        resolve: In units of the metric.
        n: The least number.
        most: The largest one.
    """
    widest = pilot.half_width(1 - alpha).max(axis=-1)
    return np.clip(np.ceil(n * (widest / resolve) ** 2), n, most).astype(np.int64)
