"""Run an experiment: train what is missing, keep the tables up to date, compare."""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.analysis.verdicts.compare import Comparison
from harness.experiments.planning.loading import Loaded
from harness.experiments.planning.planned import ExperimentPlan, PlannedRun
from harness.experiments.planning.prepared import left_out_lines
from harness.experiments.planning.stamp import stamp
from harness.experiments.running.complete import Progress
from harness.experiments.running.display import show
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import default_workers, run_inline, run_workers
from harness.experiments.running.tables import refresh_tables
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
    plan = loaded.plan(runs, loaded.device())
    earlier = experiments.read_plan(plan.record["name"])
    asked = stamp(plan.record, earlier, Path(plan.record["file"]).parent)
    if plan.pending:
        for line in left_out_lines(loaded.prepare_data(plan)):
            console.print(line, highlight=False)
    pending, n_failed, tried = plan.pending, 0, set[str]()
    while True:
        for run in plan.runs:
            if run.done:
                run.done.tidy()
        plan = _stamped(plan, asked)
        experiments.write_plan(plan.record)
        n_failed += _run_stage(plan, pending, runs, experiments, how, console)
        tried |= {run.wanted.label for run in pending}
        plan = loaded.plan_again(plan) if loaded.resolved.is_staged else plan
        # what went wrong in this execution is not tried again in it
        pending = [run for run in plan.pending if run.wanted.label not in tried]
        if not (pending and loaded.resolved.is_staged):
            plan = _stamped(plan, asked)
            experiments.write_plan(plan.record)
            return Outcome(plan, refresh_tables(plan.record, runs, experiments), n_failed)


def _stamped(plan: ExperimentPlan, asked: dict[str, Any]) -> ExperimentPlan:
    return replace(plan, record={**plan.record, "stamped": asked})


def _run_stage(
    plan: ExperimentPlan,
    pending: Sequence[PlannedRun],
    runs: RunStore,
    experiments: ExperimentStore,
    how: HowToRun,
    console: Console,
) -> int:
    """Do what is known to be needed, keep the tables up to date, and count what went wrong."""
    refresh_tables(plan.record, runs, experiments)
    memory = max(arm.memory for arm in plan.arms.values())
    workers = how.workers or default_workers(plan.device, memory, total_memory(plan.device))
    workers = min(workers, max(len(pending), 1))
    console.print(_opening(plan, workers, how), highlight=False)
    execution = Execution(plan.device, how.threads, how.checkpoint_seconds)
    events = (
        run_inline(pending, runs, execution)
        if how.inline
        else run_workers(pending, runs, execution, workers)
    )
    n_failed = 0
    with terminated_as_interrupted():
        try:
            with contextlib.closing(events):
                for ended in show(events, len(pending), console):
                    n_failed += _went_wrong(ended)
                    refresh_tables(plan.record, runs, experiments)
        except BaseException:  # the runs that were stopped are no longer running
            refresh_tables(plan.record, runs, experiments)
            raise
    return n_failed


def _went_wrong(ended: Progress) -> bool:
    """Whether a run has to be tried again: that a setting diverges is what its trial found out."""
    found_out = ended.run.wanted.purpose == "tuning" and ended.status is Status.DIVERGED
    return ended.status is not Status.DONE and not found_out


def _opening(plan: ExperimentPlan, workers: int, how: HowToRun) -> str:
    stored = len(plan.runs) - len(plan.pending)
    known = f", {stored} of them already in the store" if stored else ""
    where = "in this process" if how.inline else f"{workers} at a time"
    later = f"; about {len(plan.expected)} more later" if plan.expected else ""
    return f"{len(plan.runs)} runs{known}; {plan.work}, {where}, on {plan.device}{later}"


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
