"""How an arm's setting is chosen from what its tuning runs have lost: a grid that grows, or draws.

Everything here is a function of losses that are there already: the same losses give the same
choice, whenever and wherever it is made.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness.analysis.statistics.values import better_beyond
from harness.experiments.question.tuned_settings import draws
from harness.experiments.question.tuning_config import Grid, Setting, Space, Tune

Loss = Callable[[Setting], float | None]
"""Mean over the tuning seeds, lower is better, infinite if a run diverged; None: not yet known."""

Losses = Callable[[Setting], Sequence[float] | None]
"""The same for every seed of the report."""
AROUND = 3  # settings of a report that is fitted
HALF = 0.5  # of a step of the grid, between them


@dataclass(frozen=True)
class Tuning:
    """What an arm has tried, in the order of its trials, and what came of it.

    `report` holds the settings at which the runs that answer the question are trained: nothing
    before the choice is made. `edge` is the best one tried, if a better one may lie beyond it.
    """

    tried: Sequence[Setting]
    chosen: Setting | None = None
    edge: Setting | None = None
    report: Sequence[Setting] = field(default=())
    around: Sequence[float] = field(default=())
    """Where on the grid the report is, in powers of its factor."""

    def to_dict(self, tune: Tune) -> dict[str, Any]:
        """Write it for the record of a plan; settings of one key are written as their values."""

        def written(setting: Setting) -> Any:
            return dict(setting) if isinstance(tune.search, Space) else setting[tune.search.key]

        return {
            "keys": list(tune.keys),
            "tried": [written(setting) for setting in self.tried],
            "chosen": None if self.chosen is None else written(self.chosen),
            "at_edge": self.edge is not None,
            "edge": None if self.edge is None else written(self.edge),
            "report": [written(setting) for setting in self.report],
            "trials_spent": len(self.tried) * len(tune.seeds),
        }


def choose(tune: Tune, start: float, loss: Loss) -> Tuning:
    """Choose an arm's setting, as far as its losses are known; `start` is what a grid is around."""
    if isinstance(tune.search, Space):
        return _best_draw(tune.search, loss)
    return search_grid(tune.search, start, loss, fitted=tune.protocol == "fitted")


def search_grid(grid: Grid, start: float, loss: Loss, *, fitted: bool) -> Tuning:
    """Take the best point of a grid, extending it while the best lies at its edge.

    One point is added at a time, beyond the side on which the best lies. The report, to be fitted,
    is at the half step nearest to the optimum that the trials show and at half a step on either
    side: so near, a parabola tells the loss also where it rises steeply on one side. It is at the
    best alone if that is still at the edge.
    """

    def at(exponent: float) -> Setting:
        return {grid.key: grid.value(start, exponent)}

    exponents = list(grid.exponents)
    for left in range(grid.extend, -1, -1):
        losses = {exponent: loss(at(exponent)) for exponent in exponents}
        known = {exponent: value for exponent, value in losses.items() if value is not None}
        if len(known) < len(losses):
            return Tuning([at(exponent) for exponent in exponents])
        best = min(known, key=lambda exponent: (known[exponent], exponent))
        lowest, highest = min(exponents), max(exponents)
        if lowest < best < highest or not left:
            break
        exponents.append(lowest - 1 if best == lowest else highest + 1)
    edge = at(best) if best in (lowest, highest) else None
    around: tuple[float, ...] = (best,)
    if fitted and edge is None:
        centre = best + nearest_half(known[best - 1], known[best], known[best + 1])
        around = (centre - HALF, centre, centre + HALF)
    return Tuning([at(e) for e in exponents], at(best), edge, [at(e) for e in around], around)


def nearest_half(left: float, lowest: float, right: float) -> float:
    """Return where a parabola through three losses a step apart is lowest: -1/2, 0 or 1/2.

    A side that diverged pushes it to the other one.
    """
    if math.isinf(left) or math.isinf(right):
        return HALF * (math.isinf(left) - math.isinf(right))
    curvature = left - 2 * lowest + right
    return HALF * round((left - right) / (2 * curvature) / HALF) if curvature else 0.0


def extend_report(grid: Grid, start: float, tuning: Tuning, losses: Losses) -> Tuning:
    """Report at one more value while its neighbour shows that the arm's best may lie beyond.

    At most as often as the grid may be extended; if that does not suffice, the arm is at an edge.
    """
    report, around = list(tuning.report), list(tuning.around)
    while True:
        columns = [losses(setting) for setting in report]
        known = [column for column in columns if column is not None]
        side = better_beyond(np.array(known).T) if len(known) == len(columns) else 0
        if not side:
            return replace(tuning, report=report, around=around)
        outermost = 0 if side < 0 else -1
        if len(report) >= AROUND + grid.extend:
            return replace(tuning, report=report, around=around, edge=report[outermost])
        beyond = around[outermost] + side * HALF
        where = 0 if side < 0 else len(report)
        around.insert(where, beyond)
        report.insert(where, {grid.key: grid.value(start, beyond)})


def _best_draw(space: Space, loss: Loss) -> Tuning:
    tried = draws(space)
    losses = [loss(setting) for setting in tried]
    known = [value for value in losses if value is not None]
    if len(known) < len(losses):
        return Tuning(tried)
    best = tried[known.index(min(known))]
    return Tuning(tried, best, best if math.isinf(min(known)) else None, [best])
