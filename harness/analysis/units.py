"""Numbers as people write them: 1.3M, 12.4 kB, 0.0123."""

import math

_COUNTS = ("", "k", "M", "B", "T", "Q")
_BYTES = (" B", " kB", " MB", " GB", " TB", " PB")
_MOST_DECIMALS = 9


def count(number: float | None) -> str:
    """Write a count with three digits at most: `850k`, `1.3M`."""
    return "-" if number is None else _scaled(number, _COUNTS)


def size(number: float | None) -> str:
    """Write a number of bytes, in powers of 1000: `12.4 kB`."""
    return "-" if number is None else _scaled(number, _BYTES)


def decimals_for(low: float, high: float) -> int:
    """Return how many decimals show an interval.

    Two digits of its half width, and as many as keep a bound that is not 0 from being printed as 0.
    """
    width = (high - low) / 2
    smallest = min([width / 10] * (width > 0) + [abs(x) for x in (low, high) if x], default=1.0)
    return min(max(math.ceil(-math.log10(smallest)), 0), _MOST_DECIMALS)


def percent(fraction: float) -> str:
    """Write 0.95 as `95 %`."""
    return f"{100 * fraction:.4g} %"


def _scaled(number: float, units: tuple[str, ...]) -> str:
    for power, unit in enumerate(units):
        scaled = number / 1000**power
        if abs(float(f"{scaled:.3g}")) < 1000 or unit == units[-1]:
            return f"{float(f'{scaled:.3g}'):.12g}{unit}"
    raise AssertionError("the last unit takes every number")
