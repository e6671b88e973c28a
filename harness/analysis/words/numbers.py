"""The numbers of a contrast as they are printed everywhere."""

from harness.analysis.units import difference_and_interval, percent
from harness.analysis.verdicts.contrasts import Contrast

_SMALLEST_PRINTED = 1e-4


def interval_words(contrast: Contrast) -> str:
    """Write the interval of the difference: `-0.004 to +0.020`."""
    return difference_and_interval(contrast.difference, contrast.low, contrast.high)[1]


def narrow_words(contrast: Contrast) -> str:
    """Write the narrower interval, by which arms are practically equal or not."""
    return difference_and_interval(None, contrast.narrow_low, contrast.narrow_high)[1]


def difference_words(contrast: Contrast) -> str:
    """Write the difference with as many decimals as its interval."""
    return difference_and_interval(contrast.difference, contrast.low, contrast.high)[0]


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


def _together(contrast: Contrast) -> str:
    return "simultaneous " if contrast.family_size > 1 else ""
