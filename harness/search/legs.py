"""Where trials are trained: a leg is a trial from where it is to its next stop."""

import multiprocessing.connection
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from harness.errors import AblateError
from harness.experiments.planning.planned import PlannedRun
from harness.experiments.running.complete import complete
from harness.experiments.running.execution import Execution
from harness.experiments.running.pause import Pause, Until
from harness.experiments.running.worker import Worker, start_worker, worker_context
from harness.store.attempt import Attempt
from harness.training.measurement import Measurement

SECONDS_BETWEEN_LOOKS = 0.5
Judge = Callable[[int, dict[str, Any]], bool]
"""Trial and evaluation to whether it stops there."""


@dataclass(frozen=True)
class Leg:
    """A trial that trains until a fraction of its budget; None: until it is told to stop."""

    number: int
    run: PlannedRun
    attempt: Attempt
    until: float | None


@dataclass(frozen=True)
class LegEnded:
    """A leg whose process is gone; `cause`, if it died."""

    leg: Leg
    cause: str | None = None


class Engine(Protocol):
    """What trains legs, some at a time."""

    @property
    def size(self) -> int:
        """How many at a time."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether another leg may be started."""
        ...

    @property
    def legs(self) -> list[Leg]:
        """Those under way."""
        ...

    def start(self, leg: Leg) -> str:
        """Begin with a leg, and name who trains it."""
        ...

    def wait(self) -> list[LegEnded]:
        """Return what has ended, after a while at most."""
        ...

    def close(self) -> None:
        """Stop at once what is under way."""
        ...


class InlineEngine:
    """One leg at a time, in this process."""

    size = 1

    def __init__(self, how: Execution, judge: Judge) -> None:
        self._how, self._judge = how, judge
        self.legs: list[Leg] = []

    @property
    def has_room(self) -> bool:
        """Whether nothing is under way."""
        return not self.legs

    def start(self, leg: Leg) -> str:
        """Take a leg, which `wait` trains."""
        self.legs.append(leg)
        return "this process"

    def wait(self) -> list[LegEnded]:
        """Train the leg."""
        leg = self.legs[0]
        until: Pause = (
            Until(leg.until)
            if leg.until is not None
            else lambda point: self._judge(leg.number, point.to_dict())
        )
        try:
            complete(leg.run.config, leg.run.missing, leg.attempt, self._how, until)
        finally:
            self.legs.clear()
        return [LegEnded(leg)]

    def close(self) -> None:
        """Do nothing: what was under way has been left."""


@dataclass
class _Active:
    leg: Leg
    worker: Worker
    asks: Connection | None


class WorkerEngine:
    """Every leg in a process of its own; a crash costs that process alone."""

    def __init__(self, how: Execution, judge: Judge, workers: int) -> None:
        self._how, self._judge, self.size = how, judge, workers
        self._context = worker_context()
        self._active: dict[int, _Active] = {}

    @property
    def has_room(self) -> bool:
        """Whether fewer are under way than may be."""
        return len(self._active) < self.size

    @property
    def legs(self) -> list[Leg]:
        """Those under way."""
        return [active.leg for active in self._active.values()]

    def start(self, leg: Leg) -> str:
        """Start a process, and name it."""
        asks, theirs = self._context.Pipe() if leg.until is None else (None, None)
        pause: Pause = Asking(theirs) if theirs else Until(leg.until or 1.0)
        worker = start_worker(self._context, leg.run, leg.attempt, True, self._how, pause)
        if theirs:
            theirs.close()
        sentinel = worker.process.sentinel
        self._active[sentinel] = _Active(leg, worker, asks)
        return f"process {worker.process.pid}"

    def wait(self) -> list[LegEnded]:
        """Answer what workers ask, and return the legs whose process is gone.

        Raises:
            AblateError: a worker could not write; its trial is sound, and goes on when it can.
        """
        asking = {a.asks: a for a in self._active.values() if a.asks}
        ready = multiprocessing.connection.wait(
            [*self._active, *asking], timeout=SECONDS_BETWEEN_LOOKS
        )
        ended: list[LegEnded] = []
        for one in ready:
            if isinstance(one, int):
                active = self._active.pop(one)
                if active.asks:
                    active.asks.close()
                if complaint := active.worker.complaint():
                    raise AblateError(complaint)
                ended.append(LegEnded(active.leg, active.worker.cause_of_death()))
        for connection, active in asking.items():
            if not connection.closed and connection in ready:
                self._answer(connection, active)
        return ended

    def close(self) -> None:
        """End all processes."""
        for active in self._active.values():
            active.worker.process.terminate()
        for active in self._active.values():
            active.worker.process.join()

    def _answer(self, connection: Connection, active: _Active) -> None:
        try:
            point = connection.recv()
            connection.send(self._judge(active.leg.number, point))
        except (EOFError, OSError):  # it has died, which its sentinel says too
            active.asks = None
            connection.close()


@dataclass(frozen=True)
class Asking:
    """Ask, after every evaluation, whether to stop."""

    connection: Connection

    def __call__(self, point: Measurement) -> bool:
        """Whether the answer is to stop."""
        self.connection.send(point.to_dict())
        return bool(self.connection.recv())
