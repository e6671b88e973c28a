"""Learning rates as a function of the fraction of the budget spent: one schedule, one file."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.core.registry import Registry


class Branch(NamedTuple):
    """A decay that leaves a training at `start` and ends at `end`, fractions of the budget."""

    start: float
    end: float
    factor: Callable[[float], float]  # as of a schedule, between them

    @property
    def name(self) -> str:
        """What its metrics are called after: `at_0.25`."""
        return f"at_{self.end:g}"


class Schedule(ABC):
    """A factor on the peak learning rate."""

    @abstractmethod
    def factor(self, spent: float) -> float:
        """Return the factor when the fraction `spent` (0 to 1) of the budget is used up."""

    def branches(self) -> Sequence[Branch]:
        """Return decays that are tried on the way and then forgotten, by their start."""
        return ()


SCHEDULE: Registry[Schedule] = Registry("schedule", Schedule, "harness.training.schedules")
