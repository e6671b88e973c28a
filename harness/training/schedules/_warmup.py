"""The warmup that all schedules share."""

from abc import abstractmethod
from typing import Annotated

from pydantic import Field

from harness.training.schedules import Schedule

Warmup = Annotated[float, Field(ge=0, lt=1)]
First = Annotated[float, Field(ge=0, lt=1)]
Final = Annotated[float, Field(ge=0, le=1)]


class WithWarmup(Schedule):
    """Rise in a line to 1 over the warmup, then go on as `after_warmup` says.

    Source:
        Goyal et al. 2017, "Accurate, Large Minibatch SGD", arXiv:1706.02677, section 2.2.
    """

    def __init__(self, warmup: float, first: float | None) -> None:
        if first is not None and not warmup:
            raise ValueError(f"first ({first}) is where the warmup begins, but warmup is 0")
        self.warmup, self.first = warmup, first

    def factor(self, spent: float) -> float:
        """Return the factor; the first step has a hundredth at least, unless `first` says more."""
        if spent >= self.warmup:
            return self.after_warmup(spent)
        if self.first is None:
            return max(spent / self.warmup, 0.01)
        return min(self.first + spent / self.warmup, 1.0)

    @abstractmethod
    def after_warmup(self, spent: float) -> float:
        """Return the factor when the fraction `spent` of the budget, warmup included, is used."""

    def decayed(self, spent: float) -> float:
        """Return the share of what follows the warmup that is used up."""
        return (spent - self.warmup) / (1 - self.warmup)


def between(final: float, left: float) -> float:
    """Return `final` where nothing is left of a decay, 1 where all of it is."""
    return final + (1 - final) * left
