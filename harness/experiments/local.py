"""The local engine: each run in a process of its own, a few at a time.

A crash or an out-of-memory kill costs that run alone. Workers are forked from a server that has
imported torch once and run nothing, so starting one is cheap and safe.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import torch

from harness.experiments.execute import execute
from harness.experiments.planned import PlannedRun
from harness.experiments.run_config import RunConfig
from harness.store.attempt import Attempt
from harness.store.errors import StoreError
from harness.store.records import Heartbeat, Result
from harness.store.runs import RunStore
from harness.store.status import Status

SECONDS_BETWEEN_LOOKS = 0.5
# torch imports its compiler, for over a second, where a cost is measured: once is enough
PRELOAD = ["harness.experiments.local", "torch._dynamo"]


@dataclass(frozen=True)
class Progress:
    """What is known of one run: `heartbeat` while it is running, `cause` if it went wrong."""

    run: PlannedRun
    status: Status
    heartbeat: Heartbeat | None = None
    cause: str | None = None


def default_workers(device: torch.device, memory: int, available: int) -> int:
    """Return how many runs to train at once: one a core, or one a GPU, as far as memory goes."""
    slots = torch.cuda.device_count() if device.type == "cuda" else (os.cpu_count() or 1)
    return max(1, min(slots, available // max(memory, 1)))


def run_inline(
    pending: Sequence[PlannedRun], store: RunStore, device: torch.device, threads: int
) -> Generator[Progress, None, None]:
    """Train runs one after the other in this process, where a debugger sees them."""
    for run in pending:
        attempt = store.new_attempt(run.run_id, run.environment)
        yield Progress(run, Status.RUNNING)
        execute(run.config, attempt, device, threads)
        yield _outcome(run, attempt)


def run_workers(
    pending: Sequence[PlannedRun],
    store: RunStore,
    device: torch.device,
    threads: int,
    workers: int,
) -> Generator[Progress, None, None]:
    """Train runs in worker processes, yielding what happens as it happens.

    Closing the iterator stops the workers at once and leaves their runs `interrupted`.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    queue = deque(pending)
    active: dict[int, _Worker] = {}
    try:
        while queue or active:
            while queue and len(active) < workers:
                worker = _start(context, queue.popleft(), store, device, threads)
                active[worker.process.sentinel] = worker
                yield Progress(worker.run, Status.RUNNING)
            ended = multiprocessing.connection.wait(list(active), timeout=SECONDS_BETWEEN_LOOKS)
            for sentinel in ended:
                assert isinstance(sentinel, int)
                yield active.pop(sentinel).outcome()
            for worker in active.values():
                if heartbeat := worker.heartbeat():
                    yield Progress(worker.run, Status.RUNNING, heartbeat)
    finally:
        for worker in active.values():
            worker.process.terminate()
        for worker in active.values():
            worker.process.join()


@dataclass(frozen=True)
class _Worker:
    run: PlannedRun
    attempt: Attempt
    process: ForkServerProcess

    def heartbeat(self) -> Heartbeat | None:
        try:
            return self.attempt.read_heartbeat()
        except StoreError:  # shown only; the run itself does not depend on it
            return None

    def outcome(self) -> Progress:
        """Say how the run ended; a process that left no result has died, and that is recorded."""
        self.process.join()
        if self.attempt.status is Status.INTERRUPTED:
            cause = _cause_of_death(self.process.exitcode)
            with self.attempt.hold():
                self.attempt.finish(Result(status=Status.FAILED, seconds=0.0, cause=cause))
        return _outcome(self.run, self.attempt)


def _start(
    context: Any, run: PlannedRun, store: RunStore, device: torch.device, threads: int
) -> _Worker:
    attempt = store.new_attempt(run.run_id, run.environment)
    arguments = (run.config.to_dict(), attempt.path, str(device), threads)
    process = context.Process(target=_work, args=arguments, daemon=True)
    process.start()
    return _Worker(run, attempt, process)


def _work(written: dict[str, Any], path: Path, device: str, threads: int) -> None:
    """Be a worker: Ctrl-C is for the parent, which then ends us; without a parent, stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with_parent()
    execute(RunConfig.read(written), Attempt(path), torch.device(device), threads)


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


def _outcome(run: PlannedRun, attempt: Attempt) -> Progress:
    try:
        result = attempt.read_result()
    except StoreError as error:
        return Progress(run, Status.CORRUPT, cause=str(error))
    if result is None:
        return Progress(run, attempt.status)
    return Progress(run, result.status, cause=result.cause)


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (perhaps out of memory)" if name == "SIGKILL" else ""
        return f"the worker was killed by {name}{hint}"
    return f"the worker ended with exit code {exit_code} and left no result"
