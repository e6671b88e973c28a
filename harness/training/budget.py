"""How much training a run gets, in the one unit that its question is about."""

from typing import Any

from pydantic import model_validator

from harness.quantities import Count, Flops, Seconds, format_count, format_duration
from harness.schema import Frozen


class Budget(Frozen):
    """Exactly one of tokens, optimizer steps, training FLOPs or seconds of training.

    A budget in seconds cannot be repeated to the bit, and its runs are not shared.
    """

    tokens: Count | None = None
    steps: Count | None = None
    flops: Flops | None = None
    seconds: Seconds | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> "Budget":
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("must have exactly one of tokens, steps, flops and seconds")
        return self

    @property
    def unit(self) -> str:
        """What is counted: `tokens`, `steps`, `flops` or `seconds`."""
        return next(iter(self.model_dump(exclude_none=True)))

    @property
    def amount(self) -> float:
        """How much there is, in `unit`."""
        return float(getattr(self, self.unit))

    def fraction(self, *, tokens: int, steps: int, flops: float, seconds: float) -> float:
        """Return the share of the budget that is spent, at most 1."""
        spent = {"tokens": tokens, "steps": steps, "flops": flops, "seconds": seconds}
        return min(spent[self.unit] / self.amount, 1.0)

    def share(self, fraction: float) -> "Budget":
        """Return a part of the budget, in whole tokens or steps where those are counted."""
        amount = self.amount * fraction
        whole = self.unit in ("tokens", "steps")
        part: dict[str, Any] = {self.unit: max(round(amount), 1) if whole else amount}
        return Budget(**part)

    def __str__(self) -> str:
        if self.unit == "seconds":
            return format_duration(self.amount)
        return f"{format_count(self.amount)} {'FLOPs' if self.unit == 'flops' else self.unit}"
