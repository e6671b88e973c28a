"""A study as Optuna's own, for everything that reads those: made from its events at any time."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.storages import BaseStorage

from harness.search.frozen import frozen
from harness.search.state import StudyState
from harness.store.studies import Event


def as_study(
    definition: Mapping[str, Any],
    events: Sequence[Event],
    storage: BaseStorage | None = None,
) -> optuna.Study:
    """Return an Optuna study with every trial of ours; in memory, if no storage is given."""
    state = StudyState(events)
    with quiet():
        study = new_study(definition, storage)
        for trial in state.trials:
            study.add_trial(frozen(trial, state, definition))
    return study


def new_study(definition: Mapping[str, Any], storage: BaseStorage | None = None) -> optuna.Study:
    """Return a study without trials, or the one of this name that a storage has."""
    return optuna.create_study(
        study_name=definition["name"],
        directions=[one["direction"] for one in definition["objectives"]],
        storage=storage or optuna.storages.InMemoryStorage(),
        sampler=optuna.samplers.RandomSampler(),
        load_if_exists=True,
    )


def name_objectives(study: optuna.Study, definition: Mapping[str, Any]) -> None:
    """Give the values of a study the names of the objectives."""
    study.set_metric_names([one["key"] for one in definition["objectives"]])


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out what Optuna says of every trial: what is experimental, or sampled on its own."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
