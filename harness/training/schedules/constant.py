"""One rate after the warmup."""

from harness.training.schedules import SCHEDULE
from harness.training.schedules._warmup import First, Warmup, WithWarmup


@SCHEDULE.register("constant")
class Constant(WithWarmup):
    """Rise linearly to 1 over the warmup, and stay there.

    Options:
        warmup: Fraction of the budget, 0 to below 1.
        first: Factor of the first step, by which all of the warmup's line is then raised: with W
            steps of warmup, 1/W gives step k, from 0, the factor (k + 1) / W. By default the line
            starts at 0, and the first step has a hundredth.

    Source:
        Xing et al. 2018, "A Walk with SGD", arXiv:1802.08770, on what a large constant rate finds.
    """

    def __init__(self, *, warmup: Warmup = 0.05, first: First | None = None) -> None:
        super().__init__(warmup, first)

    def after_warmup(self, spent: float) -> float:
        """Return 1."""
        return 1.0
