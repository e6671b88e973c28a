"""Numbers in tables: 1.3M, 12.4 kB, and as many decimals as an interval deserves."""

import math

from harness.quantities import format_bytes, format_count

_MOST_DECIMALS = 9


def count(number: float | None) -> str:
    """Write a count such as `850k`; a dash if it is unknown."""
    return "-" if number is None else format_count(number)


def size(number: float | None) -> str:
    """Write a number of bytes such as `12.4 kB`; a dash if it is unknown."""
    return "-" if number is None else format_bytes(number)


def share(fraction: float | None) -> str:
    """Write 0.731 as `73 %`; a dash if it is unknown."""
    return "-" if fraction is None else f"{100 * fraction:.0f} %"


def percent(fraction: float) -> str:
    """Write 0.95 as `95 %`."""
    return f"{100 * fraction:.4g} %"


def difference_and_interval(
    difference: float | None, low: float | None, high: float | None
) -> tuple[str, str]:
    """Write `+0.008` and `-0.004 to +0.020`, with as many decimals as the interval deserves."""
    if low is None or high is None:
        return "none" if difference is None else f"{difference:+.3g}", "no interval"
    decimals = decimals_for(low, high)
    interval = f"{low:+.{decimals}f} to {high:+.{decimals}f}"
    return "none" if difference is None else f"{difference:+.{decimals}f}", interval


def decimals_for(low: float, high: float) -> int:
    """Return how many decimals show an interval.

    Two digits of its half width, and as many as keep a bound that is not 0 from being printed as 0.
    """
    width = (high - low) / 2
    smallest = min([width / 10] * (width > 0) + [abs(x) for x in (low, high) if x], default=1.0)
    return min(max(math.ceil(-math.log10(smallest)), 0), _MOST_DECIMALS)
