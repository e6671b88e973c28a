"""What a point of the space would train: built, matched and priced on the meta device."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from harness.data.dataset import load_dataset
from harness.errors import ConfigError, Problem, dotted
from harness.experiments.planning.plan import cost_record, plan_arm
from harness.experiments.planning.planned import PlannedArm, PlannedRun, Wanted
from harness.experiments.planning.prepared import prepare
from harness.experiments.planning.run_planner import RunPlanner
from harness.search.objectives import COSTS
from harness.search.question import BASE, Search
from harness.search.space import Point
from harness.store.runs import RunStore
from harness.training.environment import environment_class
from harness.training.randomness import address

REFUSED = "refused"
"""The constraint that stands for everything that forbids a configuration but a bound."""
DRAWS = 100  # at random, before a space is called impossible


@dataclass(frozen=True)
class Proposal:
    """A point, and what is known of it before training.

    `constraints` has how far the point is above each bound, as a share of it: at most 0 is
    feasible. Without `run` there is nothing to train, for the `reason`.
    """

    point: Point
    changes: dict[str, Any]
    constraints: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    arm: PlannedArm | None = None
    run: PlannedRun | None = None

    @property
    def violations(self) -> dict[str, float]:
        """The constraints that do not hold."""
        return {key: value for key, value in self.constraints.items() if value > 0}

    def asked(self) -> dict[str, Any]:
        """Return what the event of a new trial says of it."""
        return {
            "run_id": self.run.run_id if self.run else None,
            "arm": self.changes,
            "matched": self.arm.matched.to_dict() if self.arm else None,
            "cost": cost_record(self.arm) if self.arm else {},
            "constraints": self.constraints,
        }


class Proposals:
    """Turns points into what they would train, in the order in which they are asked."""

    def __init__(self, search: Search, store: RunStore, device: torch.device) -> None:
        """Build and price the base.

        Raises:
            ConfigError: the base cannot be built.
        """
        self.search, self.store, self.device = search, store, device
        self.environment = environment_class(device)
        try:
            self.base = plan_arm(search.base.arms[BASE], None, search.base, device)
        except ConfigError as error:
            raise error.within("arms", BASE) from None
        self._prepared: set[str] = set()
        try:
            self._prepare(self.base)
        except ConfigError as error:
            raise error.within("arms", BASE) from None

    def of(self, name: str, point: Point) -> Proposal:
        """Return what a point would train, or why it cannot."""
        changes: dict[str, Any] = self.search.space.changes(point)
        try:
            resolved = self.search.resolved(name, point)
            arm = plan_arm(resolved.arms[name], self.base, resolved, self.device)
            self._prepare(arm)
        except ConfigError as error:
            return Proposal(point, changes, {REFUSED: 1.0}, _reason(error))
        constraints = {
            key: COSTS[key](arm) / bound - 1 for key, bound in self.search.bounds.items()
        }
        reason = "; ".join(
            f"{key} is {COSTS[key](arm):.6g}, above the bound {self.search.bounds[key]:.6g}"
            for key, excess in constraints.items()
            if excess > 0
        )
        run = None
        if not reason:
            planner = RunPlanner(resolved, {name: arm}, self.store, self.environment)
            (run,) = planner.plan([Wanted(name, self.search.file.seed)])
        constraints[REFUSED] = 0.0
        return Proposal(point, changes, constraints, reason or None, arm, run)

    def draw(self, n: int) -> list[Proposal]:
        """Return random points of the space, the same ones each time."""
        rng = np.random.default_rng(address(self.search.sampler.seed, "feasibility"))
        return [self.of("draw", self.search.space.draw(rng)) for _ in range(n)]

    def refuse_impossible(self) -> None:
        """Refuse a space in which no point can be trained, as far as random ones tell.

        Raises:
            ConfigError: none of the points picked by hand, nor of the random ones, is feasible.
        """
        rng = np.random.default_rng(address(self.search.sampler.seed, "feasibility"))
        reasons: dict[str, int] = {}
        for i in range(len(self.search.enqueue) + DRAWS):
            picked = self.search.enqueue[i] if i < len(self.search.enqueue) else {}
            drawn = self.search.space.walk(
                lambda parameter, picked=picked: picked.get(parameter.name, parameter.draw(rng))  # type: ignore[misc]
            )
            proposal = self.of("draw", drawn)
            if proposal.run:
                return
            assert proposal.reason
            reasons[proposal.reason] = reasons.get(proposal.reason, 0) + 1
        commonest = max(reasons, key=lambda reason: reasons[reason])
        none = f"of {DRAWS} random points none can be trained"
        raise ConfigError.at(("space",), f"{none}; most often because {commonest}")

    def _prepare(self, arm: PlannedArm) -> None:
        """Build the token cache of an arm before workers ask for it, once for all alike."""
        key = repr((arm.arm.data, arm.arm.train.batch_size, arm.arm.train.seq_len))
        if key in self._prepared:
            return
        prepare(arm, load_dataset(arm.arm.data))
        for one in arm.arm.evaluate:
            one.scored.load()
        self._prepared.add(key)


def _reason(error: ConfigError) -> str:
    def told(problem: Problem) -> str:
        path = problem.path[2:] if problem.path[:1] == ("arms",) else problem.path
        return f"{dotted(path)}: {problem.message}" if path else problem.message

    return "; ".join(dict.fromkeys(map(told, error.problems)))
