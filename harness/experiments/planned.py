"""A plan as data: the arms as they will be trained and measured, and the runs."""

from dataclasses import dataclass
from typing import Any

import torch

from harness.core.match import Matched
from harness.experiments.config import Arm, Resolved
from harness.experiments.conversion import Conversion
from harness.experiments.run_config import RunConfig
from harness.store.attempt import Attempt
from harness.training.flops import TrainingFlops


@dataclass(frozen=True)
class PlannedRun:
    """A seed of an arm: a training, and perhaps a conversion to measure its weights under.

    Arms that differ in the precision of inference alone have equal `run_id`s and one training.
    """

    arm: str
    config: RunConfig
    run_id: str
    environment: str
    done: Attempt | None  # the stored attempt that answers for the training, if there is one
    conversion: Conversion | None = None  # None: what training itself evaluated is the answer
    measured: str | None = None  # the measurement of it that is stored already
    lost_weights: bool = False  # trained again only because its weights were not kept
    interrupted: Attempt | None = None  # without `done`: the attempt that training goes on with

    @property
    def measurement(self) -> str | None:
        """The name of the measurement that answers for the run, there or to come."""
        return self.measured or (self.conversion.name if self.conversion else None)

    @property
    def is_pending(self) -> bool:
        """Whether there is something left to do."""
        return self.done is None or self.measurement != self.measured


@dataclass(frozen=True)
class PlannedArm:
    """An arm as it will be trained: matched and priced."""

    arm: Arm
    matched: Matched
    flops: TrainingFlops
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
        """The runs for which something is left to do."""
        return [run for run in self.runs if run.is_pending]

    @property
    def trainings(self) -> list[PlannedRun]:
        """The pending runs without a training, one for each training."""
        missing = {run.run_id: run for run in reversed(self.runs) if run.done is None}
        return list(missing.values())[::-1]

    @property
    def measurements(self) -> list[PlannedRun]:
        """The pending runs whose weights have to be measured after a conversion."""
        return [run for run in self.pending if run.conversion]

    @property
    def work(self) -> str:
        """What is left to do, in words."""
        words = f"training {len(self.trainings)}"
        if lost := sum(run.lost_weights for run in self.trainings):
            words += f" ({lost} again, because the weights to be measured were not kept)"
        if stopped := sum(run.interrupted is not None for run in self.trainings):
            words += f" ({stopped} of them taken up where they were stopped)"
        if self.measurements:
            n_runs = len(self.measurements)
            words += f", measuring the weights of {n_runs} in another precision of inference"
        return words
