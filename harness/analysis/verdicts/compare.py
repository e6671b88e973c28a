"""From a plan and its runs to verdicts."""

from dataclasses import dataclass, replace

import pandas as pd

from harness.analysis.statistics.families import families
from harness.analysis.statistics.intervals import Estimate
from harness.analysis.statistics.two_stage import pilot_notes
from harness.analysis.statistics.values import seed_values
from harness.analysis.verdicts.arms import ArmSummary, mean_over_seeds, summarise
from harness.analysis.verdicts.contrasts import Contrast, contrast_of
from harness.analysis.verdicts.expectations import expectation_notes
from harness.analysis.verdicts.exposure import exposure_notes
from harness.analysis.verdicts.judged import judge_pairs
from harness.analysis.verdicts.labels import labels_of
from harness.analysis.verdicts.margin import Margin, margin_of
from harness.analysis.verdicts.notes import evaluation_notes, margin_notes
from harness.analysis.verdicts.tuning import tuning_notes
from harness.store.documents import no_documents
from harness.store.tables import Plan

Evaluations = dict[str, dict[str, Estimate]]


@dataclass(frozen=True)
class Comparison:
    """Everything that may be said of an experiment."""

    metric: str
    arms: list[ArmSummary]
    contrasts: list[Contrast]
    evaluations: Evaluations
    """The means on what runs are scored on besides, by metric (`report/val_bpb`) and arm."""
    spent: list[str]
    """What was spent beside the runs that answer the question."""
    beforehand: list[str]
    """How seeds were counted, and what was expected against what was found."""
    margin: Margin | None
    """Within which a difference makes none in practice."""
    margin_is_due: bool
    """Whether it is to be measured, and could not be."""

    @property
    def other_evaluations(self) -> Evaluations:
        """Those that are not the arms' own metric."""
        return {name: means for name, means in self.evaluations.items() if name != self.metric}

    @property
    def notes(self) -> list[str]:
        """What is to be known of all of it, beside the verdicts."""
        return [
            *exposure_notes({arm.arm: arm.exposure for arm in self.arms}),
            *margin_notes(self.margin, self.margin_is_due, self.metric),
            *evaluation_notes(self.contrasts),
            *self.spent,
            *self.beforehand,
        ]


def compare(plan: Plan, runs: pd.DataFrame, documents: pd.DataFrame | None = None) -> Comparison:
    """Summarise the arms and judge the contrasts; only runs that are done count.

    Args:
        plan: What was planned.
        runs: A row for each planned run.
        documents: The loss of each run on each document; without them the choice of documents is
            no part of any error.
    """
    documents = no_documents() if documents is None else documents
    values, margin = seed_values(plan, runs, plan["metric"]), margin_of(plan, runs)
    arms = [summarise(plan, runs, arm) for arm in plan["arms"]]
    contrasts = [
        contrast_of(plan, runs, documents, judged, margin)
        for family in families(plan)
        for judged in judge_pairs(plan, runs, family, values, documents)
    ]
    exposures = {arm.arm: arm.exposure for arm in arms}
    return Comparison(
        metric=plan["metric"],
        arms=arms,
        contrasts=[replace(c, labels=labels_of(plan, c, exposures)) for c in contrasts],
        beforehand=[*pilot_notes(plan), *expectation_notes(plan, contrasts)],
        evaluations={
            (metric := f"{name}/{about['metric']}"): {
                arm: mean_over_seeds(plan, runs, arm, metric) for arm in plan["arms"]
            }
            for name, about in plan.get("evaluate", {}).items()
        },
        spent=tuning_notes(plan, runs),
        margin=margin,
        margin_is_due=plan.get("practical") == "auto" and margin is None,
    )


def suspicious(comparison: Comparison) -> list[Contrast]:
    """Return the contrasts that are too good to be shown before a leak was looked for."""
    return [contrast for contrast in comparison.contrasts if contrast.suspicious]
