"""Linear warmup, then a constant rate that drops at some fractions of the budget."""

from bisect import bisect_right
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from harness.training.schedules import SCHEDULE
from harness.training.schedules._warmup import First, Warmup, WithWarmup

Inside = Annotated[float, Field(gt=0, lt=1)]
Factor = Annotated[float, Field(ge=0, le=1)]


@SCHEDULE.register("multi_step")
class MultiStep(WithWarmup):
    """Rise linearly to 1 over the warmup, stay there, and drop to a factor at each milestone.

    Options:
        warmup: Fraction of the budget, 0 to below 1.
        milestones: Fractions of the budget, rising, between the end of the warmup and 1.
        factors: Of the peak rate, one from each milestone on, 0 to 1.
        first: Factor of the first step, by which all of the warmup's line is then raised: with W
            steps of warmup, 1/W gives step k, from 0, the factor (k + 1) / W. By default the line
            starts at 0, and the first step has a hundredth.

    Source:
        DeepSeek-AI 2024, "DeepSeek LLM", arXiv:2401.02954, section 2.3.
    """

    def __init__(
        self,
        *,
        warmup: Warmup = 0.05,
        milestones: list[Inside] = [0.8, 0.9],  # noqa: B006 - never changed
        factors: list[Factor] = [0.316, 0.1],  # noqa: B006 - never changed
        first: First | None = None,
    ) -> None:
        super().__init__(warmup, first)
        if len(milestones) != len(factors):
            counts = f"{len(milestones)} milestones and {len(factors)} factors"
            raise ValueError(f"each milestone has its factor, but there are {counts}")
        if not all(a < b for a, b in pairwise([warmup, *milestones])):
            after = f"must rise, from above the warmup ({warmup:g})"
            raise ValueError(f"milestones {after}, but got {milestones}")
        self.milestones, self.factors = milestones, [1.0, *factors]

    def after_warmup(self, spent: float) -> float:
        """Return the factor of the last milestone that is reached."""
        return self.factors[bisect_right(self.milestones, spent)]
