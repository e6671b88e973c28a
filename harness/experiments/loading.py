"""From a file name and command-line overrides to a plan, every mistake told with its line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.data.dataset import load_dataset
from harness.errors import ConfigError
from harness.errors import Path as KeyPath
from harness.experiments.config import Resolved
from harness.experiments.factors import combinations, read_combine
from harness.experiments.overrides import override
from harness.experiments.plan import make_plan
from harness.experiments.planned import ExperimentPlan
from harness.experiments.prepared import PreparedArm, prepare
from harness.experiments.resolve import resolve
from harness.experiments.yaml_source import Source, SourceError, read_yaml
from harness.store.runs import RunStore
from harness.training.environment import choose_device


@dataclass(frozen=True)
class Loaded:
    """An experiment's file, read and resolved."""

    source: Source
    resolved: Resolved

    def plan(self, store: RunStore, device: torch.device) -> ExperimentPlan:
        """Build, match and price every arm.

        Raises:
            SourceError: with the line that caused it.
        """
        try:
            return make_plan(self.resolved, store, device, self.source.name)
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

    def _located(self, error: ConfigError) -> SourceError:
        return self.source.error(error, _levels_of(self.source.data))

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
        return Loaded(source, resolve(source.data, folder))
    except ConfigError as error:
        raise source.error(error, _levels_of(source.data)) from None


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
