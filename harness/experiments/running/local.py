"""The local engine: each run in a process of its own, a few at a time.

Runs that share a training wait for it and are then scored with its weights. A crash or an
out-of-memory kill costs that run alone. Workers are forked from a server that has imported torch
once and run nothing, so starting one is cheap and safe.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import torch

from harness.experiments.planning.final_scoring import FinalScoring
from harness.experiments.planning.planned import PlannedRun
from harness.experiments.question.run_config import RunConfig
from harness.experiments.running.complete import (
    Attempts,
    Progress,
    complete,
    outcome,
    record_death,
    taken_up,
)
from harness.experiments.running.execution import Execution
from harness.store.attempt import Attempt
from harness.store.errors import StoreError
from harness.store.records import Heartbeat
from harness.store.runs import RunStore
from harness.store.status import Status

SECONDS_BETWEEN_LOOKS = 0.5
# torch imports its compiler, for over a second, where a cost is measured: once is enough
PRELOAD = ["harness.experiments.running.local", "torch._dynamo"]


def default_workers(device: torch.device, memory: int, available: int) -> int:
    """Return how many runs to train at once: one a core, or one a GPU, as far as memory goes."""
    slots = torch.cuda.device_count() if device.type == "cuda" else (os.cpu_count() or 1)
    return max(1, min(slots, available // max(memory, 1)))


def run_inline(
    pending: Sequence[PlannedRun], store: RunStore, how: Execution
) -> Generator[Progress, None, None]:
    """Do runs one after the other in this process, where a debugger sees them."""
    attempts = Attempts(store)
    for run in pending:
        attempt, trains = attempts.of(run)
        yield Progress(run, Status.RUNNING, trains=trains)
        n_resumes = len(attempt.read_resumes())
        complete(run.config, run.missing, attempt, how)
        yield from taken_up(run, attempt, n_resumes)
        yield outcome(run, attempt)


def run_workers(
    pending: Sequence[PlannedRun], store: RunStore, how: Execution, workers: int
) -> Generator[Progress, None, None]:
    """Do runs in worker processes, yielding what happens as it happens.

    Closing the iterator stops the workers at once and leaves their runs `interrupted`.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    queue, attempts = list(pending), Attempts(store)
    active: dict[int, _Worker] = {}
    try:
        while queue or active:
            while len(active) < workers and (run := _next(queue, active.values())):
                queue.remove(run)
                attempt, trains = attempts.of(run)
                worker = _start(context, run, attempt, trains, how)
                active[worker.process.sentinel] = worker
                yield Progress(run, Status.RUNNING, trains=trains)
            ended = multiprocessing.connection.wait(list(active), timeout=SECONDS_BETWEEN_LOOKS)
            for sentinel in ended:
                assert isinstance(sentinel, int)
                worker = active.pop(sentinel)
                yield from worker.taken_up()
                yield worker.outcome()
            for worker in active.values():
                yield from worker.taken_up()
                if heartbeat := worker.heartbeat():
                    yield Progress(worker.run, Status.RUNNING, heartbeat)
    finally:
        for worker in active.values():
            worker.process.terminate()
        for worker in active.values():
            worker.process.join()


def _next(queue: Sequence[PlannedRun], active: Iterable["_Worker"]) -> PlannedRun | None:
    """Return the first run whose weights are not being trained at this moment."""
    training = {worker.run.run_id for worker in active if worker.trains}
    return next((run for run in queue if run.run_id not in training), None)


@dataclass
class _Worker:
    run: PlannedRun
    attempt: Attempt
    trains: bool
    process: ForkServerProcess
    complaints: Connection  # from the process: why it had to stop, although the run is sound
    n_resumes: int  # of the attempt, that were there before or have been told

    def taken_up(self) -> list[Progress]:
        new = taken_up(self.run, self.attempt, self.n_resumes)
        self.n_resumes += len(new)
        return new

    def heartbeat(self) -> Heartbeat | None:
        if not self.trains:
            return None
        try:
            return self.attempt.read_heartbeat()
        except StoreError:  # shown only; the run itself does not depend on it
            return None

    def outcome(self) -> Progress:
        """Say how the run ended; a process that left no result has died, and that is recorded."""
        self.process.join()
        try:
            complaint = self.complaints.recv_bytes().decode()
        except EOFError:
            if self.process.exitcode:
                record_death(self.run, self.attempt, _cause_of_death(self.process.exitcode))
            return outcome(self.run, self.attempt)
        return replace(outcome(self.run, self.attempt), cause=complaint)


def _start(
    context: Any,
    run: PlannedRun,
    attempt: Attempt,
    trains: bool,
    how: Execution,
) -> _Worker:
    n_resumes = len(attempt.read_resumes())
    ours, theirs = context.Pipe(duplex=False)
    arguments = (run.config.to_dict(), run.missing, attempt.path, how.to_dict(), theirs)
    process = context.Process(target=_work, args=arguments, daemon=True)
    process.start()
    theirs.close()
    return _Worker(run, attempt, trains, process, ours, n_resumes)


def _work(
    config: dict[str, Any],
    scorings: Sequence[FinalScoring],
    path: Path,
    how: dict[str, Any],
    complaints: Connection,
) -> None:
    """Be a worker: Ctrl-C is for the parent, which then ends us; without a parent, stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with_parent()
    try:
        complete(RunConfig.read(config), scorings, Attempt(path), Execution.read(how))
    except StoreError as error:  # said through a pipe: there may be no room for a file
        complaints.send_bytes(str(error).encode())


def _die_with_parent() -> None:
    """End this process as soon as the one that asked for it is gone, however that came.

    The fork server is no sign of that: it lives as long as any of its workers does.
    """
    parent = multiprocessing.parent_process()
    assert parent

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _cause_of_death(exit_code: int) -> str:
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (perhaps out of memory)" if name == "SIGKILL" else ""
        return f"the worker was killed by {name}{hint}"
    return f"the worker ended with exit code {exit_code} and left no result"
