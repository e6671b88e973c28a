"""Axes: from values to places, and where the ticks are."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high`, drawn from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def around(
        cls,
        values: Sequence[float],
        start: float,
        end: float,
        *,
        log: bool = False,
        margin: float = 0.04,
    ) -> "Axis":
        """Return the axis that shows all values, with a little room at both ends."""
        shown = [math.log(v) for v in values] if log else list(values)
        low, high = min(shown), max(shown)
        room = margin * (high - low) or abs(low) * 0.1 or 1.0
        low, high = low - room, high + room
        if log:
            low, high = math.exp(low), math.exp(high)
        return cls(low, high, start, end, log)

    def __call__(self, value: float) -> float:
        """Return where a value is drawn."""
        low, high = (math.log(x) if self.log else x for x in (self.low, self.high))
        at = math.log(value) if self.log else value
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def within(self, start: float, end: float) -> "Axis":
        """Return the same values drawn elsewhere."""
        return replace(self, start=start, end=end)

    def ticks(self, most: int = 6) -> list[float]:
        """Return round values within the axis, of a linear one."""
        step = self.step(most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]

    def step(self, most: int = 6) -> float:
        """Return the distance of ticks."""
        rough = (self.high - self.low) / most
        power = 10 ** math.floor(math.log10(rough))
        return power * next(step for step in _STEPS if step * power >= rough * (1 - 1e-9))

    def form(self, *, signed: bool = False) -> Callable[[float], str]:
        """Return what writes a tick: with as many decimals as tell it from the next."""
        step = self.step()
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        decimals += round(step * 10**decimals, 6) != round(step * 10**decimals)
        sign = "+" if signed else ""
        return lambda value: f"{value:{sign}.{decimals}f}" if abs(value) > step / 2 else "0"
