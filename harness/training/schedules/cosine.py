"""Linear warmup, then half a cosine."""

import math
from typing import Annotated

from pydantic import Field

from harness.training.schedules import SCHEDULE, Schedule


@SCHEDULE.register("cosine")
class Cosine(Schedule):
    """Rise linearly to 1 over the warmup, then fall to `final` along half a cosine.

    Options:
        warmup: Fraction of the budget, 0 to below 1.
        final: Factor at the end of the budget, 0 to 1.

    Source:
        Loshchilov and Hutter 2016, "SGDR", arXiv:1608.03983, without restarts.
    """

    def __init__(
        self,
        *,
        warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05,
        final: Annotated[float, Field(ge=0, le=1)] = 0.0,
    ) -> None:
        self.warmup, self.final = warmup, final

    def factor(self, spent: float) -> float:
        """Return the factor; the very first step already learns, at a hundredth at least."""
        if spent < self.warmup:
            return max(spent / self.warmup, 0.01)
        done = (spent - self.warmup) / (1 - self.warmup)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2
