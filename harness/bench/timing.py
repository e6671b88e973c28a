"""Time things against each other on a machine that is never quite quiet."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

Step = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of each round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one: a neighbour's burst of work does not move it."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Distance between the quartiles, as a share of the median."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / self.median

    def to_dict(self) -> dict[str, Any]:
        """Write everything down."""
        return {"median": self.median, "spread": self.spread, "rounds": list(self.seconds)}


def speeds(times: Mapping[str, Timing], n_tokens: int) -> dict[str, Any]:
    """Write down what was timed on so many tokens, by name."""
    return {
        "seconds": {name: timing.to_dict() for name, timing in times.items()},
        "tokens_per_second": {name: n_tokens / timing.median for name, timing in times.items()},
    }


def interleaved(steps: Mapping[str, Step], rounds: int, device: torch.device) -> dict[str, Timing]:
    """Run each step once a round, round after round, so that all see the same machine.

    Two rounds before the first are not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for round_number in range(-2, rounds):
        for name, step in steps.items():
            _synchronize(device)
            started = time.perf_counter()
            step()
            _synchronize(device)
            if round_number >= 0:
                seconds[name].append(time.perf_counter() - started)
    return {name: Timing(tuple(taken)) for name, taken in seconds.items()}


def ratio(slower: Timing, faster: Timing) -> float:
    """Return the median over the rounds of how many times as long `slower` took."""
    return statistics.median(a / b for a, b in zip(slower.seconds, faster.seconds, strict=True))


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
