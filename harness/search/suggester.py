"""What to try next: an Optuna study in memory that is told what the events say.

It is made again from the events whenever a search goes on, and then suggests what it would have
suggested: a sampler is seeded by the number of the trial, and notes that samplers keep in a study
are made again by asking them again.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from harness.search.frozen import outcome_of, reports_of
from harness.search.objectives import COSTS
from harness.search.samplers import GENETIC, REMEMBERING, SamplerChoice, build_pruner
from harness.search.space import Parameter, Point, Space, Value
from harness.search.state import StudyState
from harness.search.view import new_study, quiet
from harness.store.studies import Event


class Suggester:
    """Suggests points of a space, and says which trials a pruner would stop."""

    def __init__(self, definition: Mapping[str, Any], space: Space, sampler: SamplerChoice) -> None:
        self._definition, self._space, self._sampler = definition, space, sampler
        self._state = StudyState()
        self._trials: list[optuna.Trial] = []
        self._told: set[int] = set()
        self._stops: dict[tuple[int, int], bool] = {}
        self._plain = optuna.samplers.RandomSampler(seed=0)
        with quiet():
            self._study = new_study(definition)
        if definition["pruner"]:
            self._study.pruner = build_pruner(definition["pruner"])

    def replay(self, events: Iterable[Event]) -> None:
        """Take in what has happened so far."""
        for event in events:
            self.apply(event)

    def ask(self, fixed: Point) -> Point:
        """Return the next point; values that are `fixed` are taken as they are."""
        number = len(self._trials)
        return self._ask(fixed, self._sampler.build(number))

    def apply(self, event: Event) -> None:
        """Take in one more event."""
        self._state.apply(event)
        number = event["trial"]
        if event["event"] == "asked":
            if number == len(self._trials):
                remembers = self._sampler.name in REMEMBERING
                self._ask(
                    event["params"], self._sampler.build(number) if remembers else self._plain
                )
            for key, value in event["constraints"].items():
                with quiet():
                    self._trials[number].set_constraint(key, value)
        elif event["event"] == "rung":
            self._report(number)
        elif event["event"] in ("infeasible", "ended"):
            self._tell(number)

    def stops(self, number: int, step: int) -> bool:
        """Whether the pruner stops a trial at a step that was reported."""
        return self._stops.get((number, step), False)

    def _ask(self, fixed: Point, sampler: optuna.samplers.BaseSampler) -> Point:
        with quiet():
            if fixed:
                self._study.enqueue_trial(fixed)
            self._study.sampler = sampler
            trial = self._study.ask()
            if self._sampler.name in REMEMBERING:
                _ = trial.relative_params  # notes are made here, also where all values are fixed
            point = self._space.walk(lambda parameter: _suggest(trial, parameter))
            self._study.sampler = self._plain
        self._trials.append(trial)
        return point

    def _report(self, number: int) -> None:
        trial = self._trials[number]
        reports = reports_of(self._state.trials[number], self._definition)
        if not reports or not self._definition["pruner"]:
            return  # several objectives, or rungs: these decide by themselves
        step = max(reports)
        with quiet():
            trial.report(reports[step], step)
            self._stops[number, step] = trial.should_prune()

    def _tell(self, number: int) -> None:
        if number in self._told:
            return
        self._told.add(number)
        trial = self._state.trials[number]
        told, values = outcome_of(trial, self._definition)
        if self._sampler.name in GENETIC and told is TrialState.PRUNED:
            told, values = TrialState.COMPLETE, self._worst(number)
        if told is TrialState.PRUNED and not self._definition["pruner"]:
            for step, value in reports_of(trial, self._definition).items():
                self._trials[number].report(value, step)
        with quiet():
            self._study.tell(number, values, told)

    def _worst(self, number: int) -> list[float]:
        """Return values for a sampler that looks at whole trials alone: nothing is worse."""
        known = self._state.trials[number].values
        losses = []
        for one in self._definition["objectives"]:
            value = known.get(one["key"]) if one["key"] in COSTS else None
            worst = math.inf if one["direction"] == "minimize" else -math.inf
            losses.append(worst if value is None else value)
        return losses


def _suggest(trial: optuna.Trial, parameter: Parameter) -> Value:
    name, distribution = parameter.name, parameter.distribution
    match distribution:
        case CategoricalDistribution(choices=choices):
            value: Value = trial.suggest_categorical(name, choices)
            return value
        case IntDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_int(name, low, high, step=step, log=log)
        case FloatDistribution(low=low, high=high, step=by, log=log):
            return trial.suggest_float(name, low, high, step=by, log=log)
        case BaseDistribution():
            raise AssertionError(f"there is no distribution {distribution!r}")
