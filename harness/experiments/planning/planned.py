"""A plan as data: the arms as they will be trained and measured, and the runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch

from harness.core.match import Matched
from harness.experiments.planning.final_scoring import FinalScoring
from harness.experiments.question.config import Arm, Resolved
from harness.experiments.question.evaluation_set import HELD_OUT
from harness.experiments.question.run_config import RunConfig
from harness.experiments.question.tuning_config import Setting
from harness.store.attempt import Attempt
from harness.training.flops import TrainingFlops

if TYPE_CHECKING:
    from harness.experiments.planning.run_planner import RunPlanner


Purpose = Literal["report", "tuning", "slope"]


@dataclass(frozen=True)
class Wanted:
    """A seed of an arm, what its run is for, and how it differs from the arm as it is written.

    A run answers the question (`report`), chooses a setting (`tuning`), or measures what compute
    buys (`slope`).
    """

    arm: str
    seed: int
    purpose: Purpose = "report"
    setting: Setting | None = None
    trial: int | None = None  # place among the settings that a tuned arm tries
    budget_share: float = 1.0

    @property
    def label(self) -> str:
        """Name it as people do: `mqa lr=0.002 seed 1000000 (tuning)`."""
        values = [f"{key.rpartition('.')[2]}={v:g}" for key, v in (self.setting or {}).items()]
        purpose = [] if self.purpose == "report" else [f"({self.purpose})"]
        return " ".join([self.arm, *values, "seed", str(self.seed), *purpose])


@dataclass(frozen=True)
class PlannedRun:
    """A seed of an arm: a training, and what its final weights are scored under and on.

    Arms that differ in the precision of inference alone have equal `run_id`s and one training.
    """

    wanted: Wanted
    config: RunConfig
    run_id: str
    environment: str
    # the stored attempt that answers for the training; a trial's may have diverged
    done: Attempt | None
    # by name; without `held_out` what training itself evaluated is the answer
    scorings: Mapping[str, FinalScoring] = field(default_factory=dict)
    measured: Mapping[str, str] = field(default_factory=dict)  # of these, what is stored already
    lost_weights: bool = False  # trained again only because its weights were not kept
    diverged: bool = False  # all that is in the store of it did, under the code of today
    interrupted: Attempt | None = None  # without `done`: the attempt that training goes on with

    @property
    def arm(self) -> str:
        """The name of its arm."""
        return self.wanted.arm

    @property
    def measurements(self) -> dict[str, str]:
        """The measurements of the scorings, there or to come, as the store names them."""
        return {name: self.measured.get(name, s.name) for name, s in self.scorings.items()}

    @property
    def missing(self) -> list[FinalScoring]:
        """The scorings that are still to be made."""
        return [self.scorings[name] for name in self.scorings if name not in self.measured]

    @property
    def is_pending(self) -> bool:
        """Whether there is something left to do."""
        return self.done is None or bool(self.missing)


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
    """Everything that `run` needs, and `record`, which is what the store keeps of it.

    `runs` are those that are known to be needed; what they find may ask for more. `expected` are
    those that are foreseen, without the settings that are still to be chosen.
    """

    resolved: Resolved
    arms: dict[str, PlannedArm]
    runs: list[PlannedRun]
    device: torch.device
    record: dict[str, Any]
    planner: "RunPlanner"
    expected: Sequence[Wanted] = ()

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
        return self._missing(HELD_OUT)

    def _missing(self, name: str) -> list[PlannedRun]:
        return [r for r in self.pending if name in r.scorings and name not in r.measured]

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
        for name in self.record["evaluate"]:
            if missing := self._missing(name):
                words += f", scoring {len(missing)} on {name}"
        return words
