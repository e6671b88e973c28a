"""A trial of ours as one of Optuna's: what it is told of values, constraints and states."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from harness.search.state import StudyState, Trial

PERCENT = 100
"""Optuna's steps are whole numbers: percent of the budget."""


def distributions_of(definition: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """Return the distributions of all parameters, in order."""
    return {
        name: json_to_distribution(one["distribution"]) for name, one in definition["space"].items()
    }


def step_of(fraction: float) -> int:
    """Return Optuna's step of a fraction of the budget."""
    return round(PERCENT * fraction)


def reports_of(trial: Trial, definition: Mapping[str, Any]) -> dict[int, float]:
    """Return what is reported of a trial in training: of a study with one objective alone."""
    (first, *others) = definition["objectives"]
    values = {step_of(r["fraction"]): r["values"].get(first["key"]) for r in trial.rungs}
    return {} if others else {step: v for step, v in values.items() if v is not None}


def outcome_of(
    trial: Trial, definition: Mapping[str, Any]
) -> tuple[TrialState, list[float] | None]:
    """Return the state and the values that Optuna is told.

    What cannot be trained, or diverged, was pruned before it had a value: samplers then keep away
    from it, and no figure has made-up values. What failed says nothing.
    """
    if trial.ended is None:
        return (TrialState.PRUNED if trial.infeasible else TrialState.RUNNING), None
    values = [trial.values.get(one["key"]) for one in definition["objectives"]]
    known = [value for value in values if value is not None]
    is_whole = trial.ended["values"] is not None and len(known) == len(values)
    match trial.status:
        case "done" | "duplicate" if is_whole and not trial.ended.get("pruned"):
            return TrialState.COMPLETE, known
        case "done" | "failed":
            return TrialState.FAIL, None
    return TrialState.PRUNED, None


def frozen(trial: Trial, state: StudyState, definition: Mapping[str, Any]) -> FrozenTrial:
    """Return a trial as Optuna stores it."""
    told, values = outcome_of(trial, definition)
    reports = reports_of(trial, definition)
    if told is TrialState.PRUNED and reports:
        values = [reports[max(reports)]]
    of_space = distributions_of(definition)
    attributes = {
        "status": trial.status,
        "run_id": trial.run_id,
        "cost": trial.asked.get("cost") or {},
        "arm": trial.asked["arm"],
    }
    if trial.rungs:
        attributes["rungs"] = [
            {"fraction": rung["fraction"], "values": rung["values"]} for rung in trial.rungs
        ]
    if trial.infeasible:
        attributes["reason"] = trial.infeasible["reason"]
    if original := state.original(trial):
        attributes["same_as"] = original.number
    made = create_trial(
        state=told,
        values=values,
        params=trial.params,
        distributions={name: of_space[name] for name in trial.params},
        user_attrs=attributes,
        intermediate_values=reports,
        constraints=trial.asked.get("constraints") or {},
    )
    made.number = trial.number
    made.datetime_start = _local(trial.asked["at"])
    if last := trial.ended or trial.infeasible:
        made.datetime_complete = _local(last["at"])
    return made


def _local(at: str) -> datetime:
    """Return a time as Optuna has it: local, without saying so."""
    return datetime.fromisoformat(at).astimezone().replace(tzinfo=None)
