"""Another precision at inference: when it has to be measured apart, and what has been."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from harness.core.registry import ComponentSpec
from harness.core.slots import PRECISION, Precision
from harness.core.spec import PrecisionSpec
from harness.errors import ConfigError
from harness.experiments.fingerprint import Fingerprint, agree, measure_conversion
from harness.experiments.run_config import RunConfig
from harness.store.attempt import Attempt
from harness.store.records import Measured


@dataclass(frozen=True)
class Conversion:
    """A precision that final weights are converted to, and what today's code makes of it.

    Arms that differ in nothing else share their trainings.
    """

    precision: ComponentSpec
    fingerprint: Fingerprint

    @property
    def settings(self) -> dict[str, Any]:
        """What is measured, as the store keeps it."""
        return {"precision": self.precision.to_dict()}

    @property
    def name(self) -> str:
        """What a new measurement is stored as."""
        identity = {"fingerprint": self.fingerprint, **self.settings}
        canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return f"infer-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"

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
        return stored == self.precision and agree(measured.fingerprint, self.fingerprint)


def conversion_of(run: RunConfig) -> Conversion | None:
    """Return what a run has to be measured under; None if its own evaluations say it all."""
    precision = run.variant.precision
    if evaluated_in_training(precision):
        return None
    return Conversion(precision.infer, measure_conversion(run))


def evaluated_in_training(precision: PrecisionSpec) -> bool:
    """Whether a model is evaluated during training with the numbers of inference.

    Training evaluates its fp32 weights as they are, unless it changes the model.
    """
    trains_plain = PRECISION[precision.train.name].prepare_training is Precision.prepare_training
    infers_plain = PRECISION[precision.infer.name].prepare_inference is Precision.prepare_inference
    return trains_plain and infers_plain
