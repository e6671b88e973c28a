"""Score a finished run with the weights that it kept, as one of its final scorings says."""

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
from harness.experiments.planning.final_scoring import FinalScoring
from harness.experiments.question.run_config import RunConfig
from harness.experiments.running.execution import Execution
from harness.experiments.running.run_model import load_weights
from harness.experiments.running.scoring import evaluator_on, scores
from harness.store.attempt import Attempt
from harness.store.records import Measured
from harness.store.status import Status
from harness.training.environment import describe_environment, make_deterministic


def measure(run: RunConfig, scoring: FinalScoring, attempt: Attempt, how: Execution) -> None:
    """Convert the model, score it on what the scoring says, and keep the scores.

    What fails is recorded with its cause, like a run, and may be tried again.
    """
    make_deterministic(how.device, how.threads)
    started = time.perf_counter()
    found: dict[str, Any] = {"status": Status.DONE}
    try:
        found |= _score(run, scoring, attempt, how.device)
    except Diverged as error:
        found |= {"status": Status.DIVERGED, "cause": str(error)}
    except Exception as error:  # recorded with its cause, so that other measurements go on
        found |= {"status": Status.FAILED, "cause": cause_of(error)}
    seconds = time.perf_counter() - started
    environment = describe_environment(how.device)
    keep(scoring, attempt, seconds=seconds, environment=environment, **found)


def keep(scoring: FinalScoring, attempt: Attempt, **found: Any) -> None:
    """Write down how a measurement ended, unless another process has finished the same one."""
    measured = Measured(
        settings=scoring.settings,
        fingerprint=scoring.fingerprint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        **found,
    )
    with attempt.hold():
        if not attempt.has_measured(scoring.name):
            attempt.write_measurement(scoring.name, measured)


def _score(
    run: RunConfig, scoring: FinalScoring, attempt: Attempt, device: torch.device
) -> dict[str, Any]:
    model = LanguageModel(run.variant)
    load_weights(model, attempt)
    PRECISION.build(scoring.precision).prepare_inference(model)
    if scoring.on:
        (held_out, separator), seq_len = scoring.on.scored.load(), scoring.on.seq_len
    else:
        dataset, seq_len = load_dataset(run.data), run.train.seq_len
        held_out, separator = dataset.held_out, dataset.separator
    evaluation = evaluator_on(held_out, seq_len, device, separator)(model.to(device))
    if not math.isfinite(evaluation.val_loss):
        raise Diverged(f"the held-out loss is {evaluation.val_loss}")
    return scores(evaluation, held_out)
