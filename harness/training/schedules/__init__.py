"""Learning rates as a function of the fraction of the budget spent: one schedule, one file."""

from abc import ABC, abstractmethod

from harness.core.registry import Registry


class Schedule(ABC):
    """A factor on the peak learning rate."""

    @abstractmethod
    def factor(self, spent: float) -> float:
        """Return the factor when the fraction `spent` (0 to 1) of the budget is used up."""


SCHEDULE: Registry[Schedule] = Registry("schedule", Schedule, "harness.training.schedules")
