"""A plan as data: the arms as they will be trained, and the runs."""

from dataclasses import dataclass
from typing import Any

import torch

from harness.core.match import Matched
from harness.experiments.config import Arm, Resolved
from harness.experiments.run_config import RunConfig
from harness.store.attempt import Attempt


@dataclass(frozen=True)
class PlannedRun:
    """One run of the plan; `done` is the stored attempt that answers for it, if there is one."""

    arm: str
    config: RunConfig
    run_id: str
    environment: str
    done: Attempt | None


@dataclass(frozen=True)
class PlannedArm:
    """An arm as it will be trained: matched and priced."""

    arm: Arm
    matched: Matched
    memory: int  # bytes of a training step, roughly

    @property
    def name(self) -> str:
        """The arm's name."""
        return self.arm.name


@dataclass(frozen=True)
class ExperimentPlan:
    """Everything that `run` needs, and `record`, which is what the store keeps of it."""

    resolved: Resolved
    arms: dict[str, PlannedArm]
    runs: list[PlannedRun]
    device: torch.device
    record: dict[str, Any]

    @property
    def pending(self) -> list[PlannedRun]:
        """The runs that no stored attempt answers for."""
        return [run for run in self.runs if run.done is None]
