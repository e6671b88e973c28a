"""Warmup, a stable rate, and a decay over the end of the budget."""

import math
from functools import partial
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from harness.training.schedules import SCHEDULE, Branch
from harness.training.schedules._warmup import Final, First, Warmup, WithWarmup, between


@SCHEDULE.register("wsd")
class WarmupStableDecay(WithWarmup):
    """Rise linearly to 1 over the warmup, stay there, and fall to `final` over the last part.

    Until the decay begins, the rate does not depend on where the budget ends: a run of budget B is,
    until then, the same as one of another budget whose warmup is as long. So a run that is stable
    until the fraction x and decays over the rest has `decay` 1 - x. `branch_at` makes use of that:
    several budgets from one training, at the price of their decays.

    Options:
        warmup: Fraction of the budget, 0 to below 1.
        decay: Fraction of the budget, above 0; with the warmup 1 at most.
        shape: Of the fall over t from 0 to 1: `linear`, `sqrt` (1 - sqrt(t)) or half a `cosine`.
        final: Factor at the end of the budget, 0 to 1.
        first: Factor of the first step, by which all of the warmup's line is then raised: with W
            steps of warmup, 1/W gives step k, from 0, the factor (k + 1) / W. By default the line
            starts at 0, and the first step has a hundredth.
        branch_at: Rising fractions of the budget, above 0 and below 1. For each x the training
            branches off, decays as a whole run of x of the budget would, is scored, and goes on
            from where it had left. Its metrics are called `at_x/val_loss` and so on; what branches
            cost is not charged to the budget.

    Source:
        Hu et al. 2024, "MiniCPM", arXiv:2404.06395, section 4; shapes as compared by Hägele et al.
        2024, "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations",
        arXiv:2405.18392.
    """

    def __init__(
        self,
        *,
        warmup: Warmup = 0.05,
        decay: Annotated[float, Field(gt=0, le=1)] = 0.2,
        shape: Literal["linear", "sqrt", "cosine"] = "linear",
        final: Final = 0.0,
        first: First | None = None,
        branch_at: list[Annotated[float, Field(gt=0, lt=1)]] = [],  # noqa: B006 - never changed
    ) -> None:
        super().__init__(warmup, first)
        if warmup + decay > 1:
            both = f"warmup ({warmup:g}) and decay ({decay:g})"
            raise ValueError(f"{both} together are more than the whole budget")
        if not all(a < b for a, b in pairwise(branch_at)):
            raise ValueError(f"branch_at must rise, but got {branch_at}")
        if branch_at and branch_at[0] * (1 - decay) < warmup:
            start = f"its decay would begin at {branch_at[0] * (1 - decay):g}"
            raise ValueError(f"branch_at {branch_at[0]:g} is too early: {start}, in the warmup")
        self.decay, self.shape, self.final = decay, shape, final
        self.branch_at = branch_at

    def after_warmup(self, spent: float) -> float:
        """Return 1, or the factor on the fall."""
        return self._factor_before(1.0, spent)

    def branches(self) -> list[Branch]:
        """Return the decays to the budgets of `branch_at`."""
        share = 1 - self.decay
        return [Branch(at * share, at, partial(self._factor_before, at)) for at in self.branch_at]

    def _factor_before(self, end: float, spent: float) -> float:
        length = end * self.decay
        done = max((spent - (end - length)) / length, 0.0)
        left = {
            "linear": 1 - done,
            "sqrt": 1 - math.sqrt(done),
            "cosine": (1 + math.cos(math.pi * done)) / 2,
        }
        return between(self.final, left[self.shape])
