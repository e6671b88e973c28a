"""What a search wants less or more of, and what it bounds: qualities of a run, costs of an arm."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.analysis.statistics.verdict import METRICS_TO_MAXIMISE
from harness.core.cost import Cost
from harness.core.match import AXES
from harness.errors import ConfigError, Problem, unknown
from harness.experiments.planning.planned import PlannedArm, PlannedRun
from harness.experiments.planning.prepared import planned_tokens
from harness.experiments.question.config import METRICS
from harness.experiments.question.evaluation_set import HELD_OUT
from harness.quantities import parse_quantity
from harness.store.attempt import Attempt
from harness.store.curve import Point as CurvePoint

Direction = Literal["minimize", "maximize"]


def total_flops(arm: PlannedArm) -> float:
    """Return the FLOPs of the whole training of an arm; infinite where only time will tell."""
    train = arm.arm.train
    if train.budget.unit == "flops":
        return train.budget.amount
    tokens = planned_tokens(train, arm.matched.cost)
    if tokens is None:
        return math.inf
    steps = math.ceil(tokens / train.tokens_per_step)
    return arm.flops.total(steps, round(tokens), {})


def _of_cost(of: Callable[[Cost], float]) -> Callable[[PlannedArm], float]:
    return lambda arm: of(arm.matched.cost)


COSTS: dict[str, Callable[[PlannedArm], float]] = {
    **{axis: _of_cost(of) for axis, (_, of) in AXES.items()},
    "weight_bytes": lambda arm: float(arm.matched.cost.weight_bytes),
    "total_flops": total_flops,
    "memory": lambda arm: float(arm.memory),
}
"""Known before training. `train_flops` is of a token, as for `match`; `memory` of a training."""


@dataclass(frozen=True)
class Objective:
    """A number of each trial, and whether less or more of it is better."""

    key: str
    direction: Direction

    @property
    def is_cost(self) -> bool:
        """Whether it is known before training."""
        return self.key in COSTS

    @property
    def in_training(self) -> bool:
        """Whether every evaluation of a training says it."""
        return self.key in METRICS

    @property
    def sign(self) -> float:
        """What makes less better."""
        return -1.0 if self.direction == "maximize" else 1.0


def read_objectives(written: Any, sets: Sequence[str]) -> tuple[Objective, ...]:
    """Read `val_bpb`, a list of such names, or a mapping of them to `minimize` or `maximize`.

    Raises:
        ConfigError: with the path below `objectives`.
    """
    known = [*METRICS, *(f"{name}/{metric}" for name in sets for metric in METRICS), *COSTS]
    if isinstance(written, str):
        written = [written]
    if isinstance(written, list):
        written = dict.fromkeys(map(str, written))
    if not isinstance(written, Mapping) or not written:
        example = "val_bpb, or [val_bpb, kv_bytes]"
        raise ConfigError.at((), f"must name what is wanted, as in {example}, but got {written!r}")
    problems: list[Problem] = []
    for key, direction in written.items():
        if key not in known:
            problems.append(Problem((key,), unknown("objective", key, known)))
        if direction not in (None, "minimize", "maximize"):
            message = f"must be minimize or maximize, but got {direction!r}"
            problems.append(Problem((key,), message))
    found = tuple(Objective(key, of or _natural(key)) for key, of in written.items())
    if not problems and all(objective.is_cost for objective in found):
        message = "are all known before training: name a quality too, such as val_bpb"
        problems.append(Problem((), message))
    if problems:
        raise ConfigError(*problems)
    return found


def read_constraints(written: Mapping[str, Any]) -> dict[str, float]:
    """Read upper bounds of costs.

    Raises:
        ConfigError: with the path below `constraints`.
    """
    problems: list[Problem] = []
    bounds: dict[str, float] = {}
    for key, value in written.items():
        if key not in COSTS:
            problems.append(Problem((key,), unknown("cost", key, COSTS)))
            continue
        try:
            bounds[key] = float(parse_quantity(value, "flops" if "flops" in key else "count"))
        except ValueError as error:
            problems.append(Problem((key,), str(error)))
    if problems:
        raise ConfigError(*problems)
    return bounds


def values_at(
    objectives: Sequence[Objective], arm: PlannedArm, point: CurvePoint
) -> dict[str, float | None]:
    """Return what is known of each objective at an evaluation within training."""
    known = {o.key: COSTS[o.key](arm) for o in objectives if o.is_cost}
    return known | {o.key: point.get(o.key) for o in objectives if o.in_training}


def final_values(
    objectives: Sequence[Objective], arm: PlannedArm, run: PlannedRun, attempt: Attempt
) -> dict[str, float | None]:
    """Return the objectives of a run that is done and scored."""
    return {o.key: _final(o, arm, run, attempt) for o in objectives}


def _final(
    objective: Objective, arm: PlannedArm, run: PlannedRun, attempt: Attempt
) -> float | None:
    if objective.is_cost:
        return COSTS[objective.key](arm)
    of_set, _, metric = objective.key.rpartition("/")
    measurement = run.measurements.get(of_set or HELD_OUT)
    ended = attempt.read_measurement(measurement) if measurement else attempt.read_result()
    return ended.metrics.get(metric) if ended else None


def _natural(key: str) -> Direction:
    metric = key.rpartition("/")[2]
    return "maximize" if metric in METRICS_TO_MAXIMISE else "minimize"
