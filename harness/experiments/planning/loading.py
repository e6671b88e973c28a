"""From a file name and command-line overrides to a plan, every mistake told with its line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.analysis.verdicts.compare import Comparison
from harness.data.dataset import load_dataset
from harness.errors import ConfigError
from harness.errors import Path as KeyPath
from harness.experiments.files.overrides import override
from harness.experiments.files.yaml_source import Source, SourceError, read_yaml
from harness.experiments.planning.plan import make_plan, plan_again
from harness.experiments.planning.planned import ExperimentPlan
from harness.experiments.planning.prepared import PreparedArm, prepare
from harness.experiments.question.conditions import (
    Asked,
    Condition,
    confirmation,
    main_question,
    other_conditions,
    within_designs,
)
from harness.experiments.question.config import Resolved
from harness.experiments.question.factors import combinations, read_combine
from harness.experiments.question.resolve import resolve
from harness.store.runs import RunStore
from harness.training.environment import choose_device


@dataclass(frozen=True)
class Loaded:
    """An experiment's file, read and resolved."""

    source: Source
    resolved: Resolved
    condition: Condition | None = None
    """In what it differs from the main experiment of its file; None: it is the main one."""
    conditions: tuple["Loaded", ...] = ()
    """Of a main experiment: the others of its file, but for a confirmation."""

    def plan(self, store: RunStore, device: torch.device) -> ExperimentPlan:
        """Build, match and price every arm.

        Raises:
            SourceError: with the line that caused it.
        """
        try:
            return self._with_conditions(make_plan(self.resolved, store, device, self.source.name))
        except ConfigError as error:
            raise self._located(error) from None

    def all_conditions(self) -> list[Condition]:
        """Return the conditions of a main experiment, those that are yet to be known included."""
        known = [loaded.condition for loaded in self.conditions if loaded.condition]
        experiment = self.resolved.experiment
        fresh = [Condition("confirm", "confirm", experiment.name)] if experiment.confirm else []
        return [*fresh, *known]

    def confirmation(self, verdicts: Comparison) -> "Loaded | None":
        """Return the experiment that asks resolved contrasts again; None if there are none."""
        (condition,) = (one for one in self.all_conditions() if one.kind == "confirm")
        again = confirmation(self.resolved, verdicts)
        return None if again is None else Loaded(self.source, again, condition)

    def plan_again(self, plan: ExperimentPlan) -> ExperimentPlan:
        """Ask again which runs are needed, now that more have ended.

        Raises:
            SourceError: a setting that is to be tried is not accepted.
        """
        try:
            return self._with_conditions(plan_again(plan))
        except ConfigError as error:
            raise self._located(error) from None

    def prepare_data(self, plan: ExperimentPlan) -> dict[str, PreparedArm]:
        """Build the token caches before workers ask for them: one build, and errors here.

        Raises:
            SourceError: a corpus is too small to be split, or to fill one batch.
        """
        prepared = {}
        for name, planned in plan.arms.items():
            try:
                dataset = load_dataset(planned.arm.data)
            except ConfigError as error:
                raise self._located(error.within("arms", name, "data")) from None
            try:
                prepared[name] = prepare(planned, dataset)
            except ConfigError as error:
                raise self._located(error.within("arms", name, "train")) from None
            for one in planned.arm.evaluate:
                try:
                    one.scored.load()
                except ConfigError as error:
                    within = error.within("evaluate", one.index, "data")
                    raise self._located(within) from None
        return prepared

    def _with_conditions(self, plan: ExperimentPlan) -> ExperimentPlan:
        plan.record["condition"] = self.condition and self.condition.to_dict()
        plan.record["conditions"] = [condition.listed() for condition in self.all_conditions()]
        return plan

    def _located(self, error: ConfigError) -> SourceError:
        return _located(self.source, error, self.condition)

    def device(self) -> torch.device:
        """Return the device that the file asks for."""
        return choose_device(self.resolved.experiment.device)


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> Loaded:
    """Read an experiment's file and check all of it.

    Raises:
        SourceError: every mistake, each with its line.
        ConfigError: an override that is none.
    """
    return load_source(override(read_yaml(path), overrides), path.parent)


def load_source(source: Source, folder: Path) -> Loaded:
    """Check all of an experiment that has been read; what it names is relative to `folder`.

    Raises:
        SourceError: every mistake, each with its line.
    """
    try:
        resolved = resolve(main_question(source.data), folder)
        asked = list(other_conditions(source.data))
    except ConfigError as error:
        raise _located(source, error) from None
    return Loaded(source, resolved, conditions=tuple(_load(source, one, folder) for one in asked))


def _load(source: Source, asked: Asked, folder: Path) -> Loaded:
    try:
        return Loaded(source, resolve(asked.data, folder), asked.condition)
    except ConfigError as error:
        raise _located(source, error, asked.condition) from None


def _located(source: Source, error: ConfigError, condition: Condition | None = None) -> SourceError:
    """Name the lines of an error; what a condition says comes before what the base does."""
    designs = source.data.get("designs")
    if isinstance(designs, Mapping) and designs:
        ours = condition.name if condition and condition.kind == "design" else next(iter(designs))
        error = within_designs(error, ours)
    levels = _levels_of(source.data)
    if condition and condition.kind == "scale":
        arms = {str(problem.path[1]) for problem in error.problems if problem.path[:1] == ("arms",)}
        levels = {arm: [*levels.get(arm, ()), ("scales", condition.name)] for arm in arms}
    return source.error(error, levels)


def _levels_of(data: Mapping[str, Any]) -> dict[str, list[KeyPath]]:
    """Return where else the values of an arm may be written: at its levels of the factors."""
    factors = data.get("factors")
    if not isinstance(factors, Mapping) or not all(
        isinstance(levels, Mapping) for levels in factors.values()
    ):
        return {}
    try:
        arms = combinations(factors, read_combine(data.get("combine", "all")))
    except (ConfigError, ValueError):
        return {}
    return {
        arm: [("factors", factor, level) for factor, level in reversed(levels.items())]
        for arm, levels in arms.items()
    }
