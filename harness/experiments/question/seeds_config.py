"""What `seeds` says: which ones, how their number is found, and what they vary."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import Field

from harness.errors import ConfigError
from harness.experiments.question.run_config import Source
from harness.schema import Frozen, parse

SOURCES: tuple[Source, ...] = get_args(Source)
LEAST_PILOT = 4  # fewer have no variance to go by that a verdict would accept

Several = Annotated[int, Field(ge=1, le=10_000)]


class SeedsOptions(Frozen):
    """The mapping under `seeds`: a number, or a pilot that finds it; and what seeds vary."""

    count: Several | None = None
    pilot: Annotated[int, Field(ge=LEAST_PILOT, le=10_000)] | None = None
    resolve: Annotated[float, Field(gt=0)] | None = None
    max: Several | None = None
    vary: list[Source] | None = None
    hold: list[Source] | None = None


@dataclass(frozen=True)
class TwoStage:
    """So many seeds that half of an interval is `resolve` at most, from what a pilot shows."""

    pilot: int
    resolve: float
    most: int

    def to_dict(self) -> dict[str, Any]:
        """Write it for the record of a plan."""
        return {"pilot": self.pilot, "resolve": self.resolve, "max": self.most}


@dataclass(frozen=True)
class Seeds:
    """The seeds to begin with, the rule for more, and the sources that are the same for all."""

    first: tuple[int, ...]
    rule: TwoStage | None = None
    held: tuple[Source, ...] = ()

    @property
    def most(self) -> int:
        """How many there may be in the end."""
        return self.rule.most if self.rule else len(self.first)


def read_seeds(written: int | list[int] | Mapping[str, Any]) -> Seeds:
    """Read what stands under `seeds`.

    Raises:
        ConfigError: with the path below `seeds`.
    """
    if isinstance(written, int):
        return Seeds(tuple(range(written)))
    if isinstance(written, list):
        return Seeds(tuple(written))
    options = parse(SeedsOptions, written)
    held = _held(options.vary, options.hold)
    rule = {"pilot": options.pilot, "resolve": options.resolve, "max": options.max}
    missing = [key for key, value in rule.items() if value is None]
    if options.count is not None:
        if len(missing) < len(rule):
            raise ConfigError.at(("count",), "stands beside a pilot that finds the number")
        return Seeds(tuple(range(options.count)), None, held)
    if missing:
        needs = "must have `count`, or `pilot`, `resolve` and `max`"
        raise ConfigError.at((), f"{needs}, but there is no {' and no '.join(missing)}")
    assert options.pilot and options.resolve and options.max
    if options.max < options.pilot:
        raise ConfigError.at(("max",), f"must be {options.pilot} (`pilot`) or more")
    two_stage = TwoStage(options.pilot, options.resolve, options.max)
    return Seeds(tuple(range(options.pilot)), two_stage, held)


def _held(vary: list[Source] | None, hold: list[Source] | None) -> tuple[Source, ...]:
    """Return what is the same for all seeds; what neither list names goes with the one given."""
    if both := set(vary or ()) & set(hold or ()):
        raise ConfigError.at(("hold",), f"{min(both)!r} is varied as well")
    others = set() if vary is None else set(SOURCES) - set(vary)
    held = others if hold is None else set(hold)
    if held == set(SOURCES):
        raise ConfigError.at(("hold",), "holds everything: seeds would be repetitions of one run")
    return tuple(source for source in SOURCES if source in held)
