"""What `tune` says: which settings each arm is given a choice of, and how the choice is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.errors import ConfigError, Problem, unknown
from harness.schema import Frozen, parse

Setting = Mapping[str, float]
"""Values of the tuned keys: `{"train.optimizer.lr": 0.004}`."""
Protocol = Literal["fitted", "best"]

FIRST_SEED = 1_000_000  # tuning seeds are far from those that answer the question
SIGNIFICANT = 12  # digits of a value of a grid, so that 0.004 / 4 is 0.001
BETWEEN = 3  # of one between two of them: where exactly it lies does not matter
PART = "train."
LEAST_POINTS = 4


class GridOptions(Frozen):
    """A grid around the arm's own value: its ratio, its size, how often it may be extended."""

    factor: float = Field(default=2.0, gt=1)
    points: int = Field(default=LEAST_POINTS, ge=LEAST_POINTS, le=64)
    extend: int = Field(default=4, ge=0, le=64)


class RangeOptions(Frozen):
    """From where to where a setting is drawn, and whether evenly in its logarithm."""

    low: float
    high: float
    log: bool = False


class TuneOptions(Frozen):
    """The keys of `tune` that are not themselves tuned."""

    seeds: Annotated[int, Field(ge=1, le=1000)] = 2
    protocol: Protocol | None = None
    space: dict[str, Any] | None = None
    trials: Annotated[int, Field(ge=2, le=10_000)] | None = None


@dataclass(frozen=True)
class Grid:
    """A log-spaced grid of one setting: `start * factor**i`."""

    key: str
    factor: float
    points: int
    extend: int

    @property
    def exponents(self) -> range:
        """The first points of it: one more below the start than above, if they are even."""
        return range(-(self.points // 2), self.points - self.points // 2)

    def value(self, start: float, exponent: float) -> float:
        """Return a point of the grid around a value; between two points a short number."""
        digits = SIGNIFICANT if exponent == round(exponent) else BETWEEN
        return float(f"{start * self.factor**exponent:.{digits}g}")


@dataclass(frozen=True)
class Range:
    """Where a setting is drawn from."""

    low: float
    high: float
    log: bool


@dataclass(frozen=True)
class Space:
    """Ranges of settings, from which all arms try the same draws."""

    ranges: Mapping[str, Range]
    trials: int


@dataclass(frozen=True)
class Tune:
    """How the settings of each arm are chosen, on seeds that all arms share."""

    search: Grid | Space
    seeds: tuple[int, ...]
    protocol: Protocol

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings that are tuned."""
        return (self.search.key,) if isinstance(self.search, Grid) else tuple(self.search.ranges)

    @property
    def trials(self) -> int:
        """How many settings every arm tries, before any grid is extended."""
        return self.search.points if isinstance(self.search, Grid) else self.search.trials

    def to_dict(self, metric: str) -> dict[str, Any]:
        """Write it for the record of a plan."""
        grid = self.search if isinstance(self.search, Grid) else None
        return {
            "key": grid and grid.key,
            "keys": list(self.keys),
            "factor": grid and grid.factor,
            "points": grid and grid.points,
            "extend": grid and grid.extend,
            "trials": None if grid else self.trials,
            "seeds": list(self.seeds),
            "protocol": self.protocol,
            "metric": metric,
        }


def read_tune(written: object) -> Tune:
    """Read what stands under `tune`.

    Raises:
        ConfigError: every unknown key and wrong value, with its path below `tune`.
    """
    if not isinstance(written, Mapping):
        example = "{train.optimizer.lr: {factor: 2, points: 4}}"
        raise ConfigError.at((), f"must be a mapping such as {example}, but got {written!r}")
    own = {key: value for key, value in written.items() if key in TuneOptions.model_fields}
    tuned = {key: value for key, value in written.items() if key not in own}
    if wrong := [key for key in tuned if not str(key).startswith(PART)]:
        known = [*TuneOptions.model_fields, "train.optimizer.lr"]
        raise ConfigError(*(Problem((key,), unknown("key", str(key), known)) for key in wrong))
    options = parse(TuneOptions, own)
    seeds = tuple(range(FIRST_SEED, FIRST_SEED + options.seeds))
    if options.space is None:
        return Tune(_grid(tuned, options), seeds, options.protocol or "fitted")
    if tuned:
        raise ConfigError.at(tuple(tuned)[:1], "stands beside `space`: write it into `space`")
    if options.protocol == "fitted":
        raise ConfigError.at(("protocol",), "must be `best` for a `space`: a fit takes one grid")
    if options.trials is None:
        raise ConfigError.at(("trials",), "this key is required: how many draws every arm tries")
    return Tune(_space(options.space, options.trials), seeds, "best")


def _grid(tuned: Mapping[str, object], options: TuneOptions) -> Grid:
    if options.trials is not None:
        raise ConfigError.at(("trials",), "goes with `space`; a grid has `points`")
    if len(tuned) != 1:
        got = f"but got {', '.join(tuned)}" if tuned else "but there is none"
        raise ConfigError.at((), f"must name one setting, as in train.optimizer.lr, {got}")
    ((key, value),) = tuned.items()
    try:
        grid = parse(GridOptions, value)
    except ConfigError as error:
        raise error.within(key) from None
    return Grid(key, grid.factor, grid.points, grid.extend)


def _space(written: Mapping[str, object], trials: int) -> Space:
    problems: list[Problem] = []
    ranges: dict[str, Range] = {}
    for key, value in written.items():
        try:
            if not str(key).startswith(PART):
                raise ConfigError.at((), f"must begin with {PART!r}, as train.optimizer.lr does")
            options = parse(RangeOptions, value)
            if not (0.0 if options.log else float("-inf")) < options.low < options.high:
                above = " above 0, as its logarithm is taken," if options.log else ""
                said = f"low {options.low:g} and high {options.high:g}"
                raise ConfigError.at((), f"must have `low`{above} below `high`, but got {said}")
            ranges[key] = Range(options.low, options.high, options.log)
        except ConfigError as error:
            problems += error.within("space", key).problems
    if not written:
        problems.append(Problem(("space",), "must name at least one setting"))
    if problems:
        raise ConfigError(*problems)
    return Space(ranges, trials)
