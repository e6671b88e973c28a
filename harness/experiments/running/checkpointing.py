"""When a run saves its training, how it is taken up again, and what is kept of the best."""

import time
from collections.abc import Mapping
from typing import Any

import torch

from harness.errors import AblateError
from harness.store.attempt import Attempt
from harness.store.records import Resume
from harness.training.environment import describe_environment
from harness.training.loop import Training
from harness.training.measurement import Measurement
from harness.training.state import TrainingState

# What changes the last bits of a result. Another machine of the same kind does not.
DECISIVE = ("class", "gpu", "torch", "cpu_capability", "threads")


class Saves:
    """Saves a training at measurements, if the last time is long enough ago."""

    def __init__(self, attempt: Attempt, seconds: float) -> None:
        self.attempt, self.seconds = attempt, seconds
        self._last = time.monotonic()
        losses = (point.get("val_loss") for point in attempt.read_curve())
        self._best = min((loss for loss in losses if loss is not None), default=float("inf"))

    def save(self, training: Training, point: Measurement) -> None:
        """Save, whatever the time is.

        Raises:
            StoreError: it could not be written.
        """
        state = training.state()
        self.attempt.checkpoints.write(point.step, state.save, self._is_best(point))

    def save_if_due(self, training: Training, point: Measurement) -> None:
        """Save now if it is time, or if no evaluation so far had a lower loss.

        What diverges at the next step is not saved, so that what is kept is of use.

        Raises:
            StoreError: it could not be written.
        """
        best = self._is_best(point)
        is_due = best or time.monotonic() - self._last >= self.seconds
        if is_due and (state := training.state()).is_finite:
            self.attempt.checkpoints.write(point.step, state.save, best)
            self._last = time.monotonic()

    def _is_best(self, point: Measurement) -> bool:
        best = point.evaluation is not None and point.evaluation.val_loss <= self._best
        if point.evaluation and best:
            self._best = point.evaluation.val_loss
        return best


def resume(attempt: Attempt, device: torch.device) -> TrainingState | None:
    """Return the state that an interrupted attempt goes on from, None if it begins.

    What was measured after it is forgotten, and that the attempt was taken up is written down.
    """
    put_aside: list[str] = []
    state, step = None, 0
    while state is None and (found := attempt.checkpoints.newest(put_aside.append)):
        try:
            state, step = TrainingState.load(found.path), found.step
        except AblateError as error:
            put_aside.append(attempt.checkpoints.put_aside(found, str(error)))
    if state or put_aside or attempt.read_curve():
        record, here = attempt.read_run(), describe_environment(device)
        assert record
        attempt.note_resume(
            Resume(
                step=step,
                exact=_decisive(record.environment) == _decisive(here),
                environment=here,
                put_aside=put_aside,
            )
        )
    attempt.go_on_from(step)
    return state


def best_step(attempt: Attempt) -> int | None:
    """Return the step of the evaluation with the lowest held-out loss, the last of equal ones."""
    losses = {point["step"]: point.get("val_loss") for point in attempt.read_curve()}
    evaluated = {step: loss for step, loss in losses.items() if loss is not None}
    return min(evaluated, key=lambda step: (evaluated[step], -step), default=None)


def best_state(attempt: Attempt) -> TrainingState | None:
    """Return the state at the best step; None if its checkpoint was damaged."""
    found = attempt.checkpoints.best()
    return TrainingState.load(found.path) if found and found.step == best_step(attempt) else None


def _decisive(environment: Mapping[str, Any]) -> list[Any]:
    return [environment.get(key) for key in DECISIVE]
