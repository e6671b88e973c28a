"""Which combinations of the levels of several factors become arms."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Literal, get_args

from harness.errors import ConfigError, unknown
from harness.experiments.question.fraction import MOST_FACTORS, ROMAN, regular_fraction

MAX_RUNS = 10_000
Way = Literal["all", "fractional", "one_at_a_time", "leave_one_out"]
Combine = Way | dict[str, int]
"""How levels are combined; a fraction may say its resolution: `{fractional: 3}`."""
Factors = Mapping[str, Mapping[str, object]]

RESOLUTION = 4
"""By default main effects are told from the interactions of two factors."""


def read_combine(value: object) -> Combine:
    """Check what `combine:` says.

    Raises:
        ValueError: it is none of the ways.
    """
    if isinstance(value, str) and value in get_args(Way):
        return value  # type: ignore[return-value]
    if (
        isinstance(value, Mapping)
        and list(value) == ["fractional"]
        and value["fractional"] in ROMAN
    ):
        return dict(value)
    if isinstance(value, str):
        raise ValueError(unknown("way to combine levels", value, get_args(Way)))
    resolutions = ", ".join(map(str, ROMAN))
    wanted = f"must be one of {', '.join(get_args(Way))}, or {{fractional: RESOLUTION}} with"
    raise ValueError(f"{wanted} one of {resolutions}, but got {value!r}")


def way_of(combine: Combine) -> Way:
    """Return the way without its resolution."""
    return combine if isinstance(combine, str) else "fractional"


def combinations(factors: Factors, combine: Combine = "all") -> dict[str, dict[str, str]]:
    """Return the level of each factor for each arm, by the arm's name; the first is the baseline.

    Raises:
        ConfigError: a way that these factors do not allow, two arms of one name, or too many arms.
    """
    n_arms = math.prod(map(len, factors.values()))
    if n_arms > MAX_RUNS and way_of(combine) == "all":
        raise ConfigError.at(("factors",), f"{n_arms} arms are more than {MAX_RUNS} runs")
    if not all(factors.values()):
        return {}
    arms: dict[str, dict[str, str]] = {}
    for levels in _rows(factors, combine):
        name = "-".join(levels)
        if name in arms:
            message = f"two combinations of levels are named {name!r}; rename a level"
            raise ConfigError.at(("factors",), message)
        arms[name] = dict(zip(factors, levels, strict=True))
    return arms


def _rows(factors: Factors, combine: Combine) -> Iterator[tuple[str, ...]]:
    levels = [list(of_factor) for of_factor in factors.values()]
    first = tuple(of_factor[0] for of_factor in levels)
    match way_of(combine):
        case "all":
            yield from itertools.product(*levels)
        case "one_at_a_time":
            yield first
            for i, of_factor in enumerate(levels):
                for level in of_factor[1:]:
                    yield (*first[:i], level, *first[i + 1 :])
        case "leave_one_out":
            _need_two_levels(factors, "leave_one_out")
            full = tuple(of_factor[-1] for of_factor in levels)
            yield full
            for i in range(len(levels)):
                yield (*full[:i], first[i], *full[i + 1 :])
        case "fractional":
            _need_two_levels(factors, "fractional")
            for row in _fraction(len(factors), combine):
                yield tuple(of_factor[i] for of_factor, i in zip(levels, row, strict=True))


def _fraction(n_factors: int, combine: Combine) -> list[tuple[int, ...]]:
    resolution = RESOLUTION if isinstance(combine, str) else combine["fractional"]
    if n_factors > MOST_FACTORS:
        message = f"a fraction is of at most {MOST_FACTORS} factors, but there are {n_factors}"
        raise ConfigError.at(("combine",), message)
    rows = regular_fraction(n_factors, resolution)
    if rows is None:
        nothing = f"no fraction of {n_factors} factors has resolution {ROMAN[resolution]}"
        lower = [r for r in ROMAN if r < resolution and regular_fraction(n_factors, r)]
        advice = "".join(f", or {{fractional: {r}}}" for r in lower[-1:])
        raise ConfigError.at(("combine",), f"{nothing}; use `all`{advice}")
    return rows


def _need_two_levels(factors: Factors, way: Way) -> None:
    for name, levels in factors.items():
        if len(levels) != 2:
            message = f"{way} needs two levels of each factor, but {name} has {len(levels)}"
            raise ConfigError.at(("factors", name), message)
