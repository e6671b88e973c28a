"""Linear warmup, then half a cosine."""

import math
from typing import Annotated

from pydantic import Field

from harness.training.schedules import SCHEDULE
from harness.training.schedules._warmup import Final, First, Warmup, WithWarmup, between


@SCHEDULE.register("cosine")
class Cosine(WithWarmup):
    """Rise linearly to 1 over the warmup, then fall to `final` along half a cosine.

    Options:
        warmup: Fraction of the cycle, 0 to below 1.
        final: Factor at the end of the cycle, 0 to 1.
        first: Factor of the first step, by which all of the warmup's line is then raised: with W
            steps of warmup, 1/W gives step k, from 0, the factor (k + 1) / W. By default the line
            starts at 0, and the first step has a hundredth.
        cycle: Length of the whole in budgets, 1 or more. Above 1 the training ends before the
            decay does, which costs quality.

    Source:
        Loshchilov and Hutter 2016, "SGDR", arXiv:1608.03983, without restarts; `cycle`: Hoffmann
        et al. 2022, "Training Compute-Optimal Large Language Models", arXiv:2203.15556, appendix B.
    """

    def __init__(
        self,
        *,
        warmup: Warmup = 0.05,
        final: Final = 0.0,
        first: First | None = None,
        cycle: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0,
    ) -> None:
        super().__init__(warmup, first)
        self.final, self.cycle = final, cycle

    def factor(self, spent: float) -> float:
        """Return the factor at this place of the cycle."""
        return super().factor(spent / self.cycle)

    def after_warmup(self, spent: float) -> float:
        """Return the factor on the cosine."""
        return between(self.final, (1 + math.cos(math.pi * self.decayed(spent))) / 2)
