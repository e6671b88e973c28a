"""A worker: a process that does one run, or a part of one, and how it ended.

It is forked from a server that has imported torch once and run nothing, so starting one is cheap
and safe.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from harness.experiments.planning.final_scoring import FinalScoring
from harness.experiments.planning.planned import PlannedRun
from harness.experiments.question.run_config import RunConfig
from harness.experiments.running.complete import (
    Progress,
    complete,
    outcome,
    record_death,
    taken_up,
)
from harness.experiments.running.execution import Execution
from harness.experiments.running.pause import Pause
from harness.store.attempt import Attempt
from harness.store.errors import StoreError
from harness.store.records import Heartbeat

# torch imports its compiler, for over a second, where a cost is measured: once is enough
PRELOAD = ["harness.experiments.running.worker", "torch._dynamo"]


def worker_context() -> ForkServerContext:
    """Return what processes of workers are made with."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


@dataclass
class Worker:
    """A process at work on a run."""

    run: PlannedRun
    attempt: Attempt
    trains: bool
    process: ForkServerProcess
    complaints: Connection  # from the process: why it had to stop, although the run is sound
    n_resumes: int  # of the attempt, that were there before or have been told

    def taken_up(self) -> list[Progress]:
        """Say where the training was taken up, once."""
        new = taken_up(self.run, self.attempt, self.n_resumes)
        self.n_resumes += len(new)
        return new

    def heartbeat(self) -> Heartbeat | None:
        """Read how far the training is, if it is one."""
        if not self.trains:
            return None
        try:
            return self.attempt.read_heartbeat()
        except StoreError:  # shown only; the run itself does not depend on it
            return None

    def outcome(self) -> Progress:
        """Say how the run ended; a process that left no result has died, and that is recorded."""
        if complaint := self.complaint():
            return replace(outcome(self.run, self.attempt), cause=complaint)
        if cause := self.cause_of_death():
            record_death(self.run, self.attempt, cause)
        return outcome(self.run, self.attempt)

    def complaint(self) -> str | None:
        """Wait for the end of the process; return why it had to stop, although the run is sound."""
        self.process.join()
        try:
            return self.complaints.recv_bytes().decode()
        except (EOFError, OSError):
            return None

    def cause_of_death(self) -> str | None:
        """Say what ended the process, if that was not its own doing."""
        exit_code = self.process.exitcode or 0
        if exit_code < 0:
            name = signal.Signals(-exit_code).name
            hint = " (perhaps out of memory)" if name == "SIGKILL" else ""
            return f"the worker was killed by {name}{hint}"
        return (
            f"the worker ended with exit code {exit_code} and left no result" if exit_code else None
        )


def start_worker(
    context: ForkServerContext,
    run: PlannedRun,
    attempt: Attempt,
    trains: bool,
    how: Execution,
    pause: Pause | None = None,
) -> Worker:
    """Start a process that does what a run still needs, until `pause` says to stop."""
    n_resumes = len(attempt.read_resumes())
    ours, theirs = context.Pipe(duplex=False)
    arguments = (run.config.to_dict(), run.missing, attempt.path, how.to_dict(), theirs, pause)
    process = context.Process(target=_work, args=arguments, daemon=True)
    process.start()
    theirs.close()
    return Worker(run, attempt, trains, process, ours, n_resumes)


def _work(
    config: dict[str, Any],
    scorings: Sequence[FinalScoring],
    path: Path,
    how: dict[str, Any],
    complaints: Connection,
    pause: Pause | None,
) -> None:
    """Be a worker: Ctrl-C is for the parent, which then ends us; without a parent, stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with_parent()
    try:
        complete(RunConfig.read(config), scorings, Attempt(path), Execution.read(how), pause)
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
