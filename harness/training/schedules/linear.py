"""Linear warmup, then a line down."""

from harness.training.schedules import SCHEDULE
from harness.training.schedules._warmup import Final, First, Warmup, WithWarmup, between


@SCHEDULE.register("linear")
class Linear(WithWarmup):
    """Rise linearly to 1 over the warmup, then fall linearly to `final`.

    Options:
        warmup: Fraction of the budget, 0 to below 1.
        final: Factor at the end of the budget, 0 to 1.
        first: Factor of the first step, by which all of the warmup's line is then raised: with W
            steps of warmup, 1/W gives step k, from 0, the factor (k + 1) / W. By default the line
            starts at 0, and the first step has a hundredth.

    Source:
        Bergsma et al. 2025, "Straight to Zero: Why Linearly Decaying the Learning Rate to Zero
        Works Best for LLMs", arXiv:2502.15938.
    """

    def __init__(
        self, *, warmup: Warmup = 0.05, final: Final = 0.0, first: First | None = None
    ) -> None:
        super().__init__(warmup, first)
        self.final = final

    def after_warmup(self, spent: float) -> float:
        """Return the factor on the line."""
        return between(self.final, 1 - self.decayed(spent))
