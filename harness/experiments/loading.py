"""From a file name and command-line overrides to a plan, every mistake told with its line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.errors import ConfigError
from harness.experiments.config import Resolved
from harness.experiments.overrides import override
from harness.experiments.plan import ExperimentPlan, make_plan
from harness.experiments.resolve import resolve
from harness.experiments.yaml_source import Source, read_yaml
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
            raise self.source.error(error) from None

    def device(self) -> torch.device:
        """Return the device that the file asks for."""
        return choose_device(self.resolved.experiment.device)


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> Loaded:
    """Read an experiment's file and check all of it.

    Raises:
        SourceError: every mistake, each with its line.
        ConfigError: an override that is none.
    """
    source = override(read_yaml(path), overrides)
    try:
        return Loaded(source, resolve(source.data, path.parent))
    except ConfigError as error:
        raise source.error(error) from None
