"""Free space: attempts that answer for nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.store.attempt import Attempt
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.store.status import Status
from harness.store.studies import StudyStore


@dataclass(frozen=True)
class Removable:
    """An attempt that may go, why, and the bytes that it frees."""

    attempt: Attempt
    reason: str
    nbytes: int


def removable(runs: RunStore, experiments: ExperimentStore, orphans: bool) -> Iterator[Removable]:
    """List attempts that failed or stopped, and with `orphans` also runs that no experiment has.

    Trials of a study count as runs of an experiment, and those that wait at a rung are left alone.
    """
    wanted = {
        r["run_id"] for name in experiments.names() for r in experiments.open(name).plan["runs"]
    }
    waiting = _waiting(StudyStore(runs.root), wanted)
    for run_id in runs.runs():
        for attempt in runs.attempts(run_id):
            status = attempt.status
            if status is Status.RUNNING:
                continue
            if status is Status.INTERRUPTED and run_id in waiting:
                continue
            if status is not Status.DONE:
                yield Removable(attempt, str(status), _size(attempt))
            elif orphans and run_id not in wanted:
                yield Removable(attempt, "in no experiment", _size(attempt))


def _waiting(studies: StudyStore, wanted: set[str]) -> set[str]:
    """Add the runs of all trials to those that are wanted; return those of trials still open."""
    waiting: set[str] = set()
    for name in studies.names():
        of_trials: dict[int, str] = {}
        for event in studies.open(name).events():
            if event["event"] == "asked" and event["run_id"]:
                of_trials[event["trial"]] = event["run_id"]
                wanted.add(event["run_id"])
            elif event["event"] == "ended":
                of_trials.pop(event["trial"], None)
        waiting |= set(of_trials.values())
    return waiting


def _size(attempt: Attempt) -> int:
    return sum(file.stat().st_size for file in attempt.path.rglob("*") if file.is_file())
