"""From a plan and its runs to verdicts."""

from dataclasses import dataclass

import pandas as pd

from harness.analysis.arms import ArmSummary, mean_over_seeds, summarise
from harness.analysis.contrasts import Contrast, contrast_of
from harness.analysis.exposure import exposure_notes
from harness.analysis.families import families
from harness.analysis.intervals import Estimate
from harness.analysis.tuning import tuning_notes
from harness.store.tables import Plan


@dataclass(frozen=True)
class Comparison:
    """Everything that may be said of an experiment."""

    metric: str
    arms: list[ArmSummary]
    contrasts: list[Contrast]
    evaluations: dict[str, dict[str, Estimate]]
    """The means on what runs are scored on besides, by metric (`report/val_bpb`) and arm."""
    spent: list[str]
    """What was spent beside the runs that answer the question."""

    @property
    def notes(self) -> list[str]:
        """What is to be known of all of it, beside the verdicts."""
        return [*exposure_notes({arm.arm: arm.exposure for arm in self.arms}), *self.spent]


def compare(plan: Plan, runs: pd.DataFrame) -> Comparison:
    """Summarise the arms and judge the contrasts; only runs that are done count."""
    return Comparison(
        metric=plan["metric"],
        arms=[summarise(plan, runs, arm) for arm in plan["arms"]],
        contrasts=[
            contrast_of(plan, runs, pair, family)
            for family in families(plan)
            for pair in family.pairs
        ],
        evaluations={
            (metric := f"{name}/{about['metric']}"): {
                arm: mean_over_seeds(plan, runs, arm, metric) for arm in plan["arms"]
            }
            for name, about in plan.get("evaluate", {}).items()
        },
        spent=tuning_notes(plan, runs),
    )
