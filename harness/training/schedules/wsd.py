"""Warmup, a stable rate, and a decay over the end of the budget."""

import math
from typing import Annotated, Literal

from pydantic import Field

from harness.training.schedules import SCHEDULE
from harness.training.schedules._warmup import Final, First, Warmup, WithWarmup, between


@SCHEDULE.register("wsd")
class WarmupStableDecay(WithWarmup):
    """Rise linearly to 1 over the warmup, stay there, and fall to `final` over the last part.

    Until the decay begins, the rate does not depend on where the budget ends: a run of budget B is,
    until then, the same as one of another budget whose warmup is as long. So a run that is stable
    until the fraction x and decays over the rest has `decay` 1 - x.

    Options:
        warmup: Fraction of the budget, 0 to below 1.
        decay: Fraction of the budget, above 0; with the warmup 1 at most.
        shape: Of the fall over t from 0 to 1: `linear`, `sqrt` (1 - sqrt(t)) or half a `cosine`.
        final: Factor at the end of the budget, 0 to 1.
        first: Factor of the first step, by which all of the warmup's line is then raised: with W
            steps of warmup, 1/W gives step k, from 0, the factor (k + 1) / W. By default the line
            starts at 0, and the first step has a hundredth.

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
    ) -> None:
        super().__init__(warmup, first)
        if warmup + decay > 1:
            both = f"warmup ({warmup:g}) and decay ({decay:g})"
            raise ValueError(f"{both} together are more than the whole budget")
        self.decay, self.shape, self.final = decay, shape, final

    def after_warmup(self, spent: float) -> float:
        """Return 1, or the factor on the fall."""
        done = max((spent - (1 - self.decay)) / self.decay, 0.0)
        left = {
            "linear": 1 - done,
            "sqrt": 1 - math.sqrt(done),
            "cosine": (1 + math.cos(math.pi * done)) / 2,
        }
        return between(self.final, left[self.shape])
