"""The space of a search: parameters in the order of the file, some only under a condition.

A parameter is a path of the configuration with its choices or bounds. What is chosen becomes a
patch, as an arm of an ablation has one.
"""

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from harness.errors import ConfigError
from harness.experiments.files.merge import SIDES

Value = str | int | float | bool | None
Point = dict[str, Value]
"""Values by the names of parameters: without those whose condition does not hold."""


@dataclass(frozen=True)
class Parameter:
    """One path, what it may be, and under which values of earlier parameters it is there.

    `values` of a categorical parameter: what each choice writes into the configuration.
    """

    name: str
    path: tuple[str, ...]
    distribution: BaseDistribution
    values: Mapping[Value, Any]
    when: Mapping[str, tuple[Value, ...]]

    def applies(self, chosen: Point) -> bool:
        """Whether its condition holds."""
        return all(name in chosen and chosen[name] in of for name, of in self.when.items())

    def written(self, value: Value) -> Any:
        """Return what a value writes into the configuration."""
        found = self.values[value] if self.values else value
        return copy.deepcopy(found)

    @property
    def size(self) -> int | None:
        """How many values there are; None: a continuum."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return len(choices)
            case IntDistribution(low=low, high=high, step=step):
                return (high - low) // step + 1
            case FloatDistribution(low=low, high=high, step=float(step)):
                return int((Decimal(str(high)) - Decimal(str(low))) / Decimal(str(step))) + 1
        return None

    @property
    def listed(self) -> list[Value]:
        """All values of a parameter that has finitely many; else both bounds."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return list(choices)
            case IntDistribution(low=low, high=high, step=step):
                return list(range(low, high + 1, step))
            case FloatDistribution(low=low, step=float(step)):
                exact = Decimal(str(low)), Decimal(str(step))
                return [float(exact[0] + i * exact[1]) for i in range(self.size or 0)]
            case FloatDistribution(low=low, high=high):
                return [low, high]
        raise AssertionError("there are no other distributions")

    def holds(self, value: object) -> bool:
        """Whether a value is one of its own."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return any(value == one and type(value) is type(one) for one in choices)
            case IntDistribution():
                return type(value) is int and value in self.listed
            case FloatDistribution(low=low, high=high, step=step):
                if type(value) not in (int, float) or not low <= value <= high:  # type: ignore[operator]
                    return False
                return step is None or any(math.isclose(value, v) for v in self.listed)  # type: ignore[arg-type]
        return False

    def draw(self, rng: np.random.Generator) -> Value:
        """Return a value at random, evenly (in the logarithm, if so)."""
        d = self.distribution
        if isinstance(d, FloatDistribution) and d.step is None:
            low, high = (math.log(d.low), math.log(d.high)) if d.log else (d.low, d.high)
            value = float(rng.uniform(low, high))
            return min(max(math.exp(value) if d.log else value, d.low), d.high)
        if isinstance(d, IntDistribution) and d.log:
            share = rng.uniform(math.log(d.low - 0.5), math.log(d.high + 0.5))
            return min(max(round(math.exp(share)), d.low), d.high)
        return self.listed[int(rng.integers(len(self.listed)))]


@dataclass(frozen=True)
class Space:
    """The parameters; a condition names parameters that stand above it."""

    parameters: tuple[Parameter, ...]

    def __getitem__(self, name: str) -> Parameter:
        return next(parameter for parameter in self.parameters if parameter.name == name)

    @property
    def names(self) -> list[str]:
        """The names of all parameters."""
        return [parameter.name for parameter in self.parameters]

    def walk(self, choose: Callable[[Parameter], Value]) -> Point:
        """Choose a value for every parameter whose condition holds, in order."""
        chosen: Point = {}
        for parameter in self.parameters:
            if parameter.applies(chosen):
                chosen[parameter.name] = choose(parameter)
        return chosen

    def draw(self, rng: np.random.Generator) -> Point:
        """Return a point at random."""
        return self.walk(lambda parameter: parameter.draw(rng))

    def changes(self, point: Point) -> dict[str, Any]:
        """Return what a point writes, by dotted path; a component comes before its options."""
        chosen = [parameter for parameter in self.parameters if parameter.name in point]
        chosen.sort(key=lambda parameter: len(parameter.path))
        return {".".join(p.path): p.written(point[p.name]) for p in chosen}

    def patch(self, point: Point) -> dict[str, Any]:
        """Return the change of the base that a point is.

        Raises:
            ConfigError: an option of what has none, such as a list of components.
        """
        patch: dict[str, Any] = {}
        for path, value in self.changes(point).items():
            _assign(patch, path.split("."), value)
        return patch

    @property
    def size(self) -> int | None:
        """How many points there are; None: a continuum."""
        asked = {name for parameter in self.parameters for name in parameter.when}
        ways: Counter[tuple[tuple[str, Value], ...]] = Counter({(): 1})
        for parameter in self.parameters:
            following: Counter[tuple[tuple[str, Value], ...]] = Counter()
            for state, n in ways.items():
                if not parameter.applies(dict(state)):
                    following[state] += n
                elif parameter.size is None:
                    return None
                elif parameter.name in asked:
                    for value in parameter.listed:
                        following[(*state, (parameter.name, value))] += n
                else:
                    following[state] += n * parameter.size
            ways = following
        return ways.total()

    def points(self) -> Iterator[Point]:
        """Yield every point of a space that has finitely many."""

        def rest(chosen: Point, index: int) -> Iterator[Point]:
            if index == len(self.parameters):
                yield dict(chosen)
                return
            parameter = self.parameters[index]
            if not parameter.applies(chosen):
                yield from rest(chosen, index + 1)
                return
            for value in parameter.listed:
                yield from rest({**chosen, parameter.name: value}, index + 1)

        return rest({}, 0)


def _assign(patch: dict[str, Any], keys: list[str], value: Any) -> None:
    node = patch
    for depth, key in enumerate(keys[:-1], start=1):
        below = node.setdefault(key, {})
        if isinstance(below, str):  # a component by its name alone: now with options
            below = dict.fromkeys(SIDES, below) if key == "precision" else {"name": below}
            node[key] = below
        if not isinstance(below, dict):
            where, option = ".".join(keys[:depth]), ".".join(keys[depth:])
            message = f"is {below!r} here, so it has no {option!r} to set"
            raise ConfigError.at(tuple(where.split(".")), message)
        node = below
    node[keys[-1]] = value
