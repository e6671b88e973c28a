"""A study as Optuna's plots read it: in memory, with the same numbers of trials."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from harness.analysis.study.objectives import Objective
from harness.analysis.study.read import Study
from harness.store.studies import Event

_STATES = {
    "done": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "queued": TrialState.WAITING,
    "running": TrialState.RUNNING,
    "interrupted": TrialState.RUNNING,
}
"""Of all else it is FAIL: Optuna has no word for infeasible, duplicate or diverged."""


def shown_study(study: Study, looked_for: Sequence[Objective]) -> optuna.Study:
    """Return the trials with some of the objectives; what became of each is in its attributes.

    A trial is COMPLETE if it is done with all of these objectives known: nothing else has a value.
    """
    space = {
        name: json_to_distribution(asked["distribution"])
        for name, asked in study.definition["space"].items()
    }
    suggested = {e["trial"]: e for e in study.events if e["event"] == "asked"}
    way = {False: StudyDirection.MINIMIZE, True: StudyDirection.MAXIMIZE}
    directions = [way[one.maximise] for one in looked_for]
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells of every study that is made
    try:
        made = optuna.create_study(study_name=study.name, directions=directions)
    finally:
        optuna.logging.set_verbosity(verbosity)
    made.add_trials(
        _trial(row, suggested[row["number"]], space, looked_for)
        for row in study.trials.to_dict("records")
    )
    return made


def _trial(
    row: Mapping[Any, Any],
    asked: Event,
    space: Mapping[str, BaseDistribution],
    looked_for: Sequence[Objective],
) -> FrozenTrial:
    state = _STATES.get(row["status"], TrialState.FAIL)
    values = [row[one.column] for one in looked_for]
    if state is TrialState.COMPLETE and any(map(pd.isna, values)):
        state = TrialState.FAIL
    began = row["asked_at"] if pd.isna(row["started_at"]) else row["started_at"]
    told = {key: row[key] for key in ("status", "run_id", "cause") if not pd.isna(row[key])}
    return FrozenTrial(
        number=row["number"],
        state=state,
        value=None,
        values=values if state is TrialState.COMPLETE else None,
        datetime_start=None if state is TrialState.WAITING else _local(began),
        datetime_complete=_local(row["ended_at"]) if state.is_finished() else None,
        params=asked["params"],
        distributions={name: space[name] for name in asked["params"]},
        user_attrs=told,
        system_attrs={},
        intermediate_values={},
        trial_id=row["number"],
    )


def _local(time: pd.Timestamp) -> Any:
    """Return a time as Optuna keeps it: of this place, without saying so."""
    return time.to_pydatetime().astimezone().replace(tzinfo=None)
