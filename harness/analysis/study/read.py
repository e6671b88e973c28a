"""A study and what its confirmation found, read from its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.analysis.study.objectives import Objective, objectives
from harness.analysis.study.trials import trials_table
from harness.analysis.verdicts.compare import Comparison, compare
from harness.store.experiments import ExperimentStore
from harness.store.studies import Event, StudyStore
from harness.store.tables import Plan


@dataclass(frozen=True)
class Confirmation:
    """The experiment that trained winners again, with fresh seeds, against the baseline."""

    experiment: str
    trials: tuple[int, ...]
    plan: Plan | None
    """None before it is stored."""
    comparison: Comparison | None


@dataclass(frozen=True)
class Study:
    """Everything that is known of a study."""

    definition: Mapping[str, Any]
    events: Sequence[Event]
    trials: pd.DataFrame
    confirmation: Confirmation | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.definition["name"]

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What it looks for."""
        return objectives(self.definition)


def study_of(
    definition: Mapping[str, Any],
    events: Sequence[Event],
    experiments: ExperimentStore | None = None,
) -> Study:
    """Make a study of its definition and events; without experiments nothing is confirmed.

    Raises:
        StoreError: a file of the confirming experiment is corrupt.
    """
    trials = trials_table(definition, events)
    confirmed = [event for event in events if event["event"] == "confirmed"]
    if not confirmed or experiments is None:
        return Study(definition, events, trials)
    return Study(definition, events, trials, _confirmation(confirmed[-1], experiments))


def read_study(studies: StudyStore, name: str) -> Study:
    """Read a stored study.

    Raises:
        AblateError: there is no such study.
        StoreError: a file of it is corrupt.
    """
    files = studies.open(name)
    experiments = ExperimentStore(studies.root)
    return study_of(files.read_definition(), files.events(), experiments)


def _confirmation(event: Event, experiments: ExperimentStore) -> Confirmation:
    name, trials = event["experiment"], tuple(event["trials"])
    if name not in experiments.names():
        return Confirmation(name, trials, None, None)
    tables = experiments.open(name)
    comparison = compare(tables.plan, tables.runs, tables.documents)
    return Confirmation(name, trials, tables.plan, comparison)
