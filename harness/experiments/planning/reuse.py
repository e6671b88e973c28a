"""Which stored runs answer for a planned one, so that nothing is trained twice."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.experiments.planning.final_scoring import FinalScoring
from harness.experiments.planning.fingerprint import Fingerprint, agree, measure_fingerprint
from harness.experiments.question.run_config import RunConfig
from harness.store.attempt import Attempt
from harness.store.records import RunRecord
from harness.store.runs import RunStore
from harness.store.status import Status


@dataclass(frozen=True)
class Found:
    """The attempt that answers for a run, if there is one.

    `lost_weights`: one would, but it has yet to be measured, and its weights are not kept.
    `interrupted`: without one, the attempt that was stopped and can be taken up. `diverged`: the
    attempt that did, which training would repeat.
    """

    attempt: Attempt | None
    lost_weights: bool = False
    interrupted: Attempt | None = None
    diverged: Attempt | None = None


class Reuse:
    """Finds finished attempts that today's code would repeat."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self._fingerprints: dict[str, Fingerprint] = {}  # by variant and training: seeds share it

    def find(
        self, run: RunConfig, run_id: str, environment: str, scorings: Sequence[FinalScoring] = ()
    ) -> Found:
        """Return the newest finished attempt with the same complete configuration, in the same
        class of environments, whose numeric fingerprint agrees with today's code.

        All scorings of it are stored already, or can still be made.
        """
        attempts = [a for a in self.store.attempts(run_id) if a.environment == environment]
        lost, interrupted, diverged = False, None, None
        for attempt in sorted(attempts, key=lambda a: -a.number):
            status = attempt.status
            if status not in (Status.DONE, Status.INTERRUPTED, Status.DIVERGED):
                continue
            record = attempt.read_run()
            if not (record and self._repeats(record, run)):
                continue
            if status is Status.INTERRUPTED:
                interrupted = interrupted or attempt
            elif status is Status.DIVERGED:
                diverged = diverged or attempt
            elif attempt.has_weights or all(s.find(attempt) for s in scorings):
                return Found(attempt)
            else:
                lost = True
        return Found(None, lost, interrupted, diverged)

    def _repeats(self, record: RunRecord, run: RunConfig) -> bool:
        here = {**record.config, "component_folders": []}  # today's components, wherever they were
        try:  # what it says of options that came later is their default
            stored = RunConfig.read(here)
        except (ConfigError, KeyError):  # it used an option or a component that is gone, or is torn
            return False
        if stored.trained() != run.trained():
            return False
        return agree(record.fingerprint, self._fingerprint(run))

    def _fingerprint(self, run: RunConfig) -> Fingerprint:
        run = run.without_conversion()
        key = repr((run.variant, run.train))
        if key not in self._fingerprints:
            self._fingerprints[key] = measure_fingerprint(run)
        return self._fingerprints[key]
