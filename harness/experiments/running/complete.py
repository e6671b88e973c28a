"""Do what a planned run still needs: train it, measure its weights, and say how that ended."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.experiments.planning.final_scoring import FinalScoring
from harness.experiments.planning.planned import PlannedRun
from harness.experiments.question.evaluation_set import HELD_OUT
from harness.experiments.question.run_config import RunConfig
from harness.experiments.running.execute import execute
from harness.experiments.running.execution import Execution
from harness.experiments.running.measure import keep, measure
from harness.experiments.running.pause import Pause
from harness.store.attempt import Attempt
from harness.store.errors import StoreError
from harness.store.records import Ended, Heartbeat, Result, Resume
from harness.store.runs import RunStore
from harness.store.status import Status


@dataclass(frozen=True)
class Progress:
    """What is known of one run.

    `heartbeat` while it is trained, `resumed` once where that was taken up, `cause` if it went
    wrong.
    """

    run: PlannedRun
    status: Status
    heartbeat: Heartbeat | None = None
    cause: str | None = None
    resumed: Resume | None = None
    trains: bool = True  # False: it is only measured, with weights that are there


class Attempts:
    """The attempts that one execution makes: runs with the same id share theirs."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._made: dict[str, Attempt] = {}

    def of(self, run: PlannedRun) -> tuple[Attempt, bool]:
        """Return the attempt that stands for a run, and whether it is new: to be trained."""
        known = run.done or self._made.get(run.run_id)
        if known:
            return known, False
        taken_up = run.interrupted if self._is_free(run.interrupted) else None
        made = taken_up or self._store.new_attempt(run.run_id, run.environment)
        self._made[run.run_id] = made
        return made, True

    @staticmethod
    def _is_free(attempt: Attempt | None) -> bool:
        return attempt is not None and attempt.status is Status.INTERRUPTED


def complete(
    config: RunConfig,
    scorings: Sequence[FinalScoring],
    attempt: Attempt,
    how: Execution,
    pause: Pause | None = None,
) -> None:
    """Train a run unless its attempt has ended, then score it unless it went wrong or paused."""
    if attempt.read_result() is None:
        execute(config, attempt, how, pause)
    for scoring in scorings if attempt.status is Status.DONE else ():
        if not attempt.has_measured(scoring.name):
            measure(config, scoring, attempt, how)


def taken_up(run: PlannedRun, attempt: Attempt, n_told: int) -> list[Progress]:
    """Say where a training was taken up, leaving out the times that were told already."""
    try:
        resumes = attempt.read_resumes()
    except StoreError:  # shown only; the run's own process complains
        return []
    return [Progress(run, Status.RUNNING, resumed=resumed) for resumed in resumes[n_told:]]


def record_death(run: PlannedRun, attempt: Attempt, cause: str) -> None:
    """Write down that a process died before it could say how the run ended.

    A training that has a checkpoint is not over: it may be taken up from there.
    """
    if attempt.status is Status.INTERRUPTED and not attempt.checkpoints.exist:
        with attempt.hold():
            attempt.finish(Result(status=Status.FAILED, seconds=0.0, cause=cause))
    elif attempt.status is Status.DONE:
        for scoring in run.missing:  # those that were made in time are not replaced
            keep(scoring, attempt, status=Status.FAILED, seconds=0.0, cause=cause)


def outcome(run: PlannedRun, attempt: Attempt) -> Progress:
    """Say how a run ended: its training, or the first of its scorings that went wrong."""
    names = iter(run.measurements.items())
    name = HELD_OUT
    try:
        ended: Ended | None = attempt.read_result()
        while ended and ended.status is Status.DONE and (scoring := next(names, None)):
            name, measurement = scoring
            ended = attempt.read_measurement(measurement)
    except StoreError as error:
        return Progress(run, Status.CORRUPT, cause=str(error))
    if ended is None:
        return Progress(run, Status.INTERRUPTED)
    cause = f"{name}: {ended.cause}" if ended.cause and name != HELD_OUT else ended.cause
    return Progress(run, ended.status, cause=cause)
