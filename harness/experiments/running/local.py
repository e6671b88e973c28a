"""The local engine: each run in a process of its own, a few at a time.

Runs that share a training wait for it and are then scored with its weights. A crash or an
out-of-memory kill costs that run alone.
"""

import multiprocessing.connection
import os
from collections.abc import Generator, Iterable, Sequence

import torch

from harness.experiments.planning.planned import PlannedRun
from harness.experiments.running.complete import (
    Attempts,
    Progress,
    complete,
    outcome,
    taken_up,
)
from harness.experiments.running.execution import Execution
from harness.experiments.running.worker import Worker, start_worker, worker_context
from harness.store.runs import RunStore
from harness.store.status import Status

SECONDS_BETWEEN_LOOKS = 0.5


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
    context = worker_context()
    queue, attempts = list(pending), Attempts(store)
    active: dict[int, Worker] = {}
    try:
        while queue or active:
            while len(active) < workers and (run := _next(queue, active.values())):
                queue.remove(run)
                attempt, trains = attempts.of(run)
                worker = start_worker(context, run, attempt, trains, how)
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


def _next(queue: Sequence[PlannedRun], active: Iterable["Worker"]) -> PlannedRun | None:
    """Return the first run whose weights are not being trained at this moment."""
    training = {worker.run.run_id for worker in active if worker.trains}
    return next((run for run in queue if run.run_id not in training), None)
