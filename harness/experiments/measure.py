"""Measure a finished run under another precision of inference, with the weights that it kept."""

import math
import time
from datetime import UTC, datetime
from typing import Any

import torch

from harness.core.model import LanguageModel
from harness.core.slots import PRECISION
from harness.data.dataset import load_dataset
from harness.errors import Diverged
from harness.experiments.blame import cause_of
from harness.experiments.conversion import Conversion
from harness.experiments.execution import Execution
from harness.experiments.run_config import RunConfig
from harness.experiments.run_model import load_weights
from harness.experiments.scoring import evaluator_of, scores
from harness.store.attempt import Attempt
from harness.store.records import Measured
from harness.store.status import Status
from harness.training.environment import describe_environment, make_deterministic


def measure(run: RunConfig, conversion: Conversion, attempt: Attempt, how: Execution) -> None:
    """Score the converted model on the documents that training held out, and keep the scores.

    What fails is recorded with its cause, like a run, and may be tried again.
    """
    make_deterministic(how.device, how.threads)
    started = time.perf_counter()
    found: dict[str, Any] = {"status": Status.DONE}
    try:
        found |= _score(run, attempt, how.device)
    except Diverged as error:
        found |= {"status": Status.DIVERGED, "cause": str(error)}
    except Exception as error:  # recorded with its cause, so that other measurements go on
        found |= {"status": Status.FAILED, "cause": cause_of(error)}
    seconds = time.perf_counter() - started
    environment = describe_environment(how.device)
    keep(conversion, attempt, seconds=seconds, environment=environment, **found)


def keep(conversion: Conversion, attempt: Attempt, **found: Any) -> None:
    """Write down how a measurement ended, unless another process has finished the same one."""
    measured = Measured(
        settings=conversion.settings,
        fingerprint=conversion.fingerprint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        **found,
    )
    with attempt.hold():
        if not attempt.has_measured(conversion.name):
            attempt.write_measurement(conversion.name, measured)


def _score(run: RunConfig, attempt: Attempt, device: torch.device) -> dict[str, Any]:
    model = LanguageModel(run.variant)
    load_weights(model, attempt)
    PRECISION.build(run.variant.precision.infer).prepare_inference(model)
    dataset = load_dataset(run.data)
    evaluation = evaluator_of(run, dataset, device)(model.to(device))
    if not math.isfinite(evaluation.val_loss):
        raise Diverged(f"the held-out loss is {evaluation.val_loss}")
    return scores(evaluation, dataset)
