"""What finished runs are scored under and on, after training, and what has been."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.registry import ComponentSpec
from harness.core.slots import PRECISION, Precision
from harness.core.spec import PrecisionSpec
from harness.errors import ConfigError
from harness.experiments.planning.fingerprint import Fingerprint, agree, measure_conversion
from harness.experiments.question.evaluation_set import HELD_OUT, EvaluationSet
from harness.experiments.question.run_config import RunConfig
from harness.store.attempt import Attempt
from harness.store.records import Measured


@dataclass(frozen=True)
class FinalScoring:
    """A precision that final weights are converted to, and what they are then scored on.

    Arms that differ in nothing else share their trainings.
    """

    precision: ComponentSpec
    fingerprint: Fingerprint  # of what today's code makes of the precision
    on: EvaluationSet | None = None  # None: the documents that training scores
    content: str = ""  # of the set

    @property
    def identity(self) -> dict[str, Any]:
        """What two scorings of the same weights may differ in."""
        if self.on is None:
            return {"precision": self.precision.to_dict()}
        on = {"content": self.content, "part": self.on.scored.part, "seq_len": self.on.seq_len}
        return {"precision": self.precision.to_dict(), "on": on}

    @property
    def settings(self) -> dict[str, Any]:
        """What is measured, as the store keeps it."""
        data = {"data": self.on.scored.data.to_dict()} if self.on else {}
        return {**self.identity, **data}

    @property
    def name(self) -> str:
        """What a new measurement is stored as."""
        identity = {"fingerprint": self.fingerprint, **self.identity}
        canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        kind = "infer" if self.on is None else "set"
        return f"{kind}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"

    def find(self, attempt: Attempt) -> str | None:
        """Return the name of a finished measurement that today's code would repeat."""
        done = filter(attempt.has_measured, attempt.measurements())
        return next((name for name in done if self._repeats(attempt.read_measurement(name))), None)

    def _repeats(self, measured: Measured | None) -> bool:
        assert measured  # it is done
        try:  # what it says of options that came later is their default
            stored = PRECISION.resolve(measured.settings.get("precision"))
        except ConfigError:  # it used an option or a component that is gone
            return False
        same = stored == self.precision and measured.settings.get("on") == self.identity.get("on")
        return same and agree(measured.fingerprint, self.fingerprint)


def final_scorings(run: RunConfig, sets: Sequence[EvaluationSet]) -> dict[str, FinalScoring]:
    """Return what a run has to be scored under and on, by name.

    `held_out` is among them where the evaluations of training do not say it all.

    Raises:
        ConfigError: what a set scores cannot be read, or was trained on.
    """
    precision = run.variant.precision
    converted = not evaluated_in_training(precision)
    if not (converted or sets):
        return {}
    found = measure_conversion(run)
    own = {HELD_OUT: FinalScoring(precision.infer, found)} if converted else {}
    return own | {
        one.name: FinalScoring(precision.infer, found, one, one.content()) for one in sets
    }


def evaluated_in_training(precision: PrecisionSpec) -> bool:
    """Whether a model is evaluated during training with the numbers of inference.

    Training evaluates its fp32 weights as they are, unless it changes the model.
    """
    trains_plain = PRECISION[precision.train.name].prepare_training is Precision.prepare_training
    infers_plain = PRECISION[precision.infer.name].prepare_inference is Precision.prepare_inference
    return trains_plain and infers_plain
