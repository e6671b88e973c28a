"""How many seeds a question takes, from the spread that a pilot shows and nothing else.

Source: C. Stein, "A two-sample test for a linear hypothesis whose power is independent of the
variance", Ann. Math. Statist. 16 (1945) 243-258. The number of seeds depends on the variance of the
pilot, which says nothing about the means. The final interval takes all seeds for the difference,
but the pilot's variance and degrees of freedom, and so covers at its level whatever number came
out. What differs: several contrasts get one number, the largest, and simultaneous intervals.
"""

import math

import numpy as np
import pandas as pd

from harness.analysis.blocks import judge_family
from harness.analysis.families import families
from harness.analysis.intervals import LEAST_PAIRS
from harness.analysis.values import seed_values
from harness.store.tables import Plan


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
    found = judge_family(values.to_numpy().T, family.contrasts)
    widest = float(np.max(found.half_width(1 - plan["alpha"])))
    wanted = math.ceil(len(values) * (widest / rule["resolve"]) ** 2)
    return int(min(max(wanted, rule["pilot"]), rule["max"]))
