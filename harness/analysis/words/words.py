"""The numbers of a contrast as they are printed everywhere."""

from harness.analysis.units import decimals_for, percent
from harness.analysis.verdicts.contrasts import Contrast

_SMALLEST_PRINTED = 1e-4


def interval_words(contrast: Contrast) -> str:
    """Write the interval of the difference: `-0.004 to +0.020`."""
    return _ends(contrast.low, contrast.high)


def narrow_words(contrast: Contrast) -> str:
    """Write the narrower interval, by which arms are practically equal or not."""
    return _ends(contrast.narrow_low, contrast.narrow_high)


def difference_words(contrast: Contrast) -> str:
    """Write the difference with as many decimals as its interval."""
    if contrast.difference is None:
        return "none"
    if contrast.low is None or contrast.high is None:
        return f"{contrast.difference:+.3g}"
    return f"{contrast.difference:+.{decimals_for(contrast.low, contrast.high)}f}"


def interval_name(contrast: Contrast) -> str:
    """Name the kind of interval: `95 % interval`, or simultaneous in a family of several."""
    return f"{percent(contrast.level)} {_together(contrast)}interval"


def narrow_name(contrast: Contrast) -> str:
    """Name the narrower interval in the same way."""
    return f"{percent(contrast.narrow_level)} {_together(contrast)}interval"


def p_words(contrast: Contrast) -> str:
    """Write the adjusted p with two digits."""
    p = contrast.p_adjusted
    if p is None:
        return "-"
    return f"<{_SMALLEST_PRINTED}" if p < _SMALLEST_PRINTED else f"{p:.2g}"


def _ends(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "no interval"
    decimals = decimals_for(low, high)
    return f"{low:+.{decimals}f} to {high:+.{decimals}f}"


def _together(contrast: Contrast) -> str:
    return "simultaneous " if contrast.family_size > 1 else ""
