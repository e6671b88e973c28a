"""Numbers as people write them (`1M`, `1%`, `10m`), read exactly and written back."""

import re
from fractions import Fraction as Rational
from functools import partial
from typing import Annotated, Literal

from pydantic import BeforeValidator

UnitKind = Literal["count", "flops", "seconds", "fraction"]

LARGEST = 10**30
_NUMBER = re.compile(r"(\d[\d_]*(?:\.\d+)?|\.\d+)((?:[eE][+-]?\d{1,2})?)\s*([a-zA-Z%]?)", re.ASCII)
_METRIC = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
_UNITS: dict[UnitKind, dict[str, Rational]] = {
    "count": {unit: Rational(factor) for unit, factor in _METRIC.items()},
    "flops": {unit: Rational(factor) for unit, factor in {**_METRIC, "P": 10**15}.items()},
    "seconds": {u: Rational(f) for u, f in {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}.items()},
    "fraction": {"": Rational(1), "%": Rational(1, 100)},
}
_EXPECTED: dict[UnitKind, str] = {
    "count": "a count such as 1M or 250_000",
    "flops": "a number of FLOPs above 0 such as 2e14 or 200T",
    "seconds": "a duration above 0 such as 90s, 10m or 2h",
    "fraction": "a fraction from 0 to 1 such as 1% or 0.01",
}


def parse_quantity(value: object, unit_kind: UnitKind) -> int | float:
    """Read a number, or text such as `1.5G`, exactly; a plain number is in the base unit.

    Raises:
        ValueError: not a number, an unknown unit, or out of the bounds of its kind.
    """
    number = _exact(value, _UNITS[unit_kind])
    if number is None or not _is_allowed(number, unit_kind):
        raise ValueError(f"must be {_EXPECTED[unit_kind]}, but got {value!r}")
    return int(number) if unit_kind == "count" else float(number)


def _exact(value: object, units: dict[str, Rational]) -> Rational | None:
    match value:
        case bool():
            return None
        case int():
            return Rational(value)
        case float():
            return Rational(value) if abs(value) <= LARGEST else None  # NaN compares false
        case str() if len(value) <= 64 and (found := _NUMBER.fullmatch(value.strip())):
            digits, exponent, unit = found.groups()
            scale = units.get(unit)
            return None if scale is None else Rational(digits.replace("_", "") + exponent) * scale
    return None


def _is_allowed(number: Rational, unit_kind: UnitKind) -> bool:
    if unit_kind == "fraction":
        return 0 <= number <= 1
    return 0 < number <= LARGEST and (unit_kind != "count" or number.denominator == 1)


Count = Annotated[int, BeforeValidator(partial(parse_quantity, unit_kind="count"))]
Flops = Annotated[float, BeforeValidator(partial(parse_quantity, unit_kind="flops"))]
Seconds = Annotated[float, BeforeValidator(partial(parse_quantity, unit_kind="seconds"))]
Fraction = Annotated[float, BeforeValidator(partial(parse_quantity, unit_kind="fraction"))]


def format_count(number: float) -> str:
    """Write a number to three significant digits: `1.3M`. `parse_quantity` reads it back."""
    return _scaled(number, {"T": 1e12, "B": 1e9, "M": 1e6, "k": 1e3})


def format_bytes(number: float) -> str:
    """Write a number of bytes in SI units: `1.3 MB`."""
    return _scaled(number, {" TB": 1e12, " GB": 1e9, " MB": 1e6, " kB": 1e3, " B": 1.0})


def _scaled(number: float, units: dict[str, float]) -> str:
    rounded = float(f"{number:.3g}")  # first, so that 999_999 becomes 1M and not 1000k
    for unit, factor in units.items():
        if abs(rounded) >= factor:
            return f"{rounded / factor:.3g}{unit}" if abs(rounded) < 1e15 else f"{rounded:.3g}"
    return f"{rounded:.3g}" + (" B" if " B" in units else "")


def format_duration(seconds: float) -> str:
    """Write a duration in its two largest units: `2 m 05 s`."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    for large, small, factor, step in (("d", "h", 86400, 3600), ("h", "m", 3600, 60)):
        if whole >= factor:
            return f"{whole // factor} {large} {whole % factor // step:02} {small}"
    return f"{whole // 60} m {whole % 60:02} s" if whole >= 60 else f"{whole} s"
