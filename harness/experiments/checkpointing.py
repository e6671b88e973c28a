"""When a run saves its training, and how it is taken up again."""

import time
from collections.abc import Mapping
from typing import Any

import torch

from harness.store.attempt import Attempt
from harness.store.records import Resume
from harness.training.environment import describe_environment
from harness.training.loop import Measurement, Training
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

    def save_if_due(self, training: Training, point: Measurement) -> None:
        """Save now if it is time; the evaluation with the lowest loss so far is kept longer.

        Raises:
            StoreError: it could not be written.
        """
        if time.monotonic() - self._last < self.seconds:
            return
        best = point.evaluation is not None and point.evaluation.val_loss <= self._best
        if best and point.evaluation:
            self._best = point.evaluation.val_loss
        self.attempt.checkpoints.write(point.step, training.state().save, best)
        self._last = time.monotonic()


def resume(attempt: Attempt, device: torch.device) -> TrainingState | None:
    """Return the state that an interrupted attempt goes on from, None if it begins.

    What was measured after it is forgotten, and that the attempt was taken up is written down.
    """
    put_aside: list[str] = []
    checkpoint = attempt.checkpoints.newest(put_aside.append)
    step = checkpoint.step if checkpoint else 0
    if checkpoint or put_aside or attempt.read_curve():
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
    return TrainingState.load(checkpoint.path) if checkpoint else None


def _decisive(environment: Mapping[str, Any]) -> list[Any]:
    return [environment.get(key) for key in DECISIVE]
