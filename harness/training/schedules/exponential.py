"""Linear warmup, then the same ratio from step to step."""

import math
from typing import Annotated

from pydantic import Field

from harness.training.schedules import SCHEDULE
from harness.training.schedules._warmup import First, Warmup, WithWarmup, between


@SCHEDULE.register("exponential")
class Exponential(WithWarmup):
    """Rise linearly to 1 over the warmup, then fall exponentially, to `final` at the end.

    Options:
        warmup: Fraction of the budget, 0 to below 1.
        final: Factor at the end of the budget, above 0, to 1.
        rate: If given, the fall is `final + (1 - final) * exp(-rate * t)` for t from 0 to 1, which
            nears `final` and does not reach it; above 0.
        first: Factor of the first step, by which all of the warmup's line is then raised: with W
            steps of warmup, 1/W gives step k, from 0, the factor (k + 1) / W. By default the line
            starts at 0, and the first step has a hundredth.

    Source:
        Li and Arora 2019, "An Exponential Learning Rate Schedule for Deep Learning",
        arXiv:1910.07454, of decay; `rate` as in tlama-core's `get_lr_scheduler`, where it is 3.
    """

    def __init__(
        self,
        *,
        warmup: Warmup = 0.05,
        final: Annotated[float, Field(gt=0, le=1)] = 0.01,
        rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None,
        first: First | None = None,
    ) -> None:
        super().__init__(warmup, first)
        self.final, self.rate = final, rate

    def after_warmup(self, spent: float) -> float:
        """Return the factor on the exponential."""
        done = self.decayed(spent)
        if self.rate is None:
            return self.final**done
        return between(self.final, math.exp(-self.rate * done))
