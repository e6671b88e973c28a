"""Run an experiment: train what is missing, keep the tables up to date, compare."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from harness.analysis.compare import Comparison
from harness.experiments.display import show
from harness.experiments.execution import Execution
from harness.experiments.loading import Loaded
from harness.experiments.local import default_workers, run_inline, run_workers
from harness.experiments.planned import ExperimentPlan
from harness.experiments.prepared import left_out_lines
from harness.experiments.tables import refresh_tables
from harness.store.checkpoints import SECONDS_BETWEEN_SAVES
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.store.status import Status
from harness.training.environment import total_memory


@dataclass(frozen=True)
class HowToRun:
    """Settings of an execution; none of them changes a result on a CPU but `threads`."""

    workers: int | None = None  # None: as many as cores, or GPUs, and memory allow
    threads: int = 1
    inline: bool = False
    checkpoint_seconds: float = SECONDS_BETWEEN_SAVES


@dataclass(frozen=True)
class Outcome:
    """What came of it: the comparison, and the runs that went wrong."""

    plan: ExperimentPlan
    comparison: Comparison
    n_failed: int


def run_experiment(
    loaded: Loaded, runs: RunStore, experiments: ExperimentStore, how: HowToRun, console: Console
) -> Outcome:
    """Train every run that the store does not have and return the comparison.

    Raises:
        SourceError: the plan is refused; nothing has been trained.
        KeyboardInterrupt: after the workers have stopped; what was finished is kept.
    """
    device = loaded.device()
    plan = loaded.plan(runs, device)
    pending, n_failed = plan.pending, 0
    if pending:
        for line in left_out_lines(loaded.prepare_data(plan)):
            console.print(line, highlight=False)
    for run in plan.runs:
        if run.done:
            run.done.tidy()
    experiments.write_plan(plan.record)
    comparison = refresh_tables(plan.record, runs, experiments)
    memory = max(arm.memory for arm in plan.arms.values())
    workers = how.workers or default_workers(device, memory, total_memory(device))
    workers = min(workers, max(len(pending), 1))
    console.print(_opening(plan, workers, how), highlight=False)
    execution = Execution(device, how.threads, how.checkpoint_seconds)
    events = (
        run_inline(pending, runs, execution)
        if how.inline
        else run_workers(pending, runs, execution, workers)
    )
    with terminated_as_interrupted():
        try:
            with contextlib.closing(events):
                for ended in show(events, len(pending), console):
                    n_failed += ended.status is not Status.DONE
                    comparison = refresh_tables(plan.record, runs, experiments)
        except BaseException:  # the runs that were stopped are no longer running
            refresh_tables(plan.record, runs, experiments)
            raise
    return Outcome(plan, comparison, n_failed)


def _opening(plan: ExperimentPlan, workers: int, how: HowToRun) -> str:
    stored = len(plan.runs) - len(plan.pending)
    known = f", {stored} of them already in the store" if stored else ""
    where = "in this process" if how.inline else f"{workers} at a time"
    return f"{len(plan.runs)} runs{known}; {plan.work}, {where}, on {plan.device}"


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that workers are stopped and the tables stay consistent."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
