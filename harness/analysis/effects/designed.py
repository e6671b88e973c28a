"""The effects that a factor design has, each as weights of its arms."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from harness.store.tables import Plan

MAIN, INTERACTION = "main effects", "interactions"


@dataclass(frozen=True, eq=False)  # two effects are never the same
class Weighted:
    """An effect of a design: the sum over arms of weight times value."""

    name: str
    kind: str
    weights: dict[str, float]
    aliases: tuple[str, ...] = ()
    """Other effects that the same sum would show: the design cannot tell them apart."""


def levels_of(plan: Plan) -> dict[str, list[str]]:
    """Return the levels of each factor, the first one first; none if there are no factors."""
    if factors := plan.get("factors"):
        return dict(factors["levels"])
    levels: dict[str, dict[str, None]] = {}  # a plan of an earlier version: all combinations
    for arm in plan["arms"].values():
        for factor, level in arm.get("factors", {}).items():
            levels.setdefault(factor, {})[level] = None
    return {factor: list(found) for factor, found in levels.items()}


def is_crossed(plan: Plan) -> bool:
    """Whether levels of each factor are combined with those of the others, so that they average."""
    way = (plan.get("factors") or {"combine": "all"})["combine"]
    return way in ("all", "fractional") and len(levels_of(plan)) > 1


def effects_in(plan: Plan) -> list[Weighted]:
    """Return the main effects and the interactions of two factors, each with its aliases.

    A main effect is the mean over arms with a level less that over arms with the factor's first
    level. An interaction is how much more one change does together with the other than without it,
    a difference of differences; in the textbooks of two-level designs half of that.
    """
    if not is_crossed(plan):
        return []
    found = [*_main_effects(plan), *_interactions(plan)]
    groups: list[list[Weighted]] = []
    for effect in found:
        alike = (group for group in groups if _are_aliases(plan, group[0], effect))
        if group := next(alike, None):
            group.append(effect)
        else:
            groups.append([effect])
    return [
        Weighted(first.name, first.kind, first.weights, tuple(other.name for other in others))
        for first, *others in groups
    ]


def _main_effects(plan: Plan) -> Iterator[Weighted]:
    for factor, (first, *others) in levels_of(plan).items():
        for level in others:
            weights = _mean(plan, {factor: level}, 1) | _mean(plan, {factor: first}, -1)
            yield Weighted(f"{factor}: {level} - {first}", MAIN, weights)


def _interactions(plan: Plan) -> Iterator[Weighted]:
    for (one, (a, *more_a)), (two, (b, *more_b)) in combinations(levels_of(plan).items(), 2):
        for level_a, level_b in product(more_a, more_b):
            weights = (
                _mean(plan, {one: level_a, two: level_b}, 1)
                | _mean(plan, {one: a, two: level_b}, -1)
                | _mean(plan, {one: level_a, two: b}, -1)
                | _mean(plan, {one: a, two: b}, 1)
            )
            plain = len(more_a) == len(more_b) == 1
            name = f"{one} x {two}" + ("" if plain else f": {level_a}, {level_b}")
            yield Weighted(name, INTERACTION, weights)


def _mean(plan: Plan, levels: dict[str, str], sign: float) -> dict[str, float]:
    """Return equal weights of the arms that have these levels."""
    arms = [n for n, arm in plan["arms"].items() if levels.items() <= arm["factors"].items()]
    return dict.fromkeys(arms, sign / len(arms))


def _are_aliases(plan: Plan, one: Weighted, two: Weighted) -> bool:
    a, b = (_vector(plan, effect) for effect in (one, two))
    return bool(np.isclose(abs(a @ b), np.linalg.norm(a) * np.linalg.norm(b)))


def _vector(plan: Plan, effect: Weighted) -> NDArray[np.float64]:
    return np.array([effect.weights.get(arm, 0.0) for arm in plan["arms"]])
