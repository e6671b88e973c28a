"""When a training is left where it is evaluated, to be taken up again later or never."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.training.measurement import Measurement

Pause = Callable[[Measurement], bool]
"""Whether to stop after an evaluation; a checkpoint of it is kept then."""

NEARLY = 1e-9  # of a fraction, as where evaluations are due


@dataclass(frozen=True)
class Until:
    """Stop at the first evaluation at or after a fraction of the budget."""

    fraction: float

    def __call__(self, point: Measurement) -> bool:
        """Whether the training is that far."""
        return point.fraction >= self.fraction - NEARLY
