"""Train one run and write down what happened, in a worker or in the foreground."""

import traceback
from datetime import UTC, datetime
from functools import partial
from typing import Any

import torch

from harness.core.causality import refuse_leak
from harness.core.cost import measure_cost
from harness.core.model import LanguageModel
from harness.core.slots import PRECISION
from harness.data.batches import batches
from harness.data.dataset import load_dataset
from harness.errors import Diverged
from harness.experiments.blame import cause_of
from harness.experiments.planning.fingerprint import measure_fingerprint
from harness.experiments.question.run_config import RunConfig
from harness.experiments.running.checkpointing import Saves, best_state, best_step, resume
from harness.experiments.running.execution import Execution
from harness.experiments.running.pause import Pause
from harness.experiments.running.run_model import save_weights
from harness.experiments.running.samples import leave_samples
from harness.experiments.running.scoring import evaluator_of, scores
from harness.store.atomic import write_text
from harness.store.attempt import Attempt
from harness.store.errors import StoreError
from harness.store.records import Heartbeat, Result, RunRecord
from harness.store.status import Status
from harness.training.environment import describe_environment, make_deterministic
from harness.training.evaluation import Evaluation
from harness.training.flops import training_flops
from harness.training.gradients import gradient_norms
from harness.training.loop import Training
from harness.training.machine import forget_peak_memory, training_peak
from harness.training.measurement import Measurement
from harness.training.randomness import address

LARGE = 50_000_000  # parameters; of more, no second model is made to look for leaks in it


def execute(run: RunConfig, attempt: Attempt, how: Execution, pause: Pause | None = None) -> Status:
    """Train a run in this process and finish its attempt, from its last checkpoint if it has one.

    A run that diverges or fails is an outcome, recorded with its cause; only what stops the whole
    process (an interrupt, a full disk) leaves the attempt unfinished, to be taken up again. So does
    `pause`, after a checkpoint.
    """
    make_deterministic(how.device, how.threads)
    run = run.without_conversion()
    with attempt.hold():
        last: list[Measurement] = []
        try:
            if attempt.read_run() is None:
                attempt.write_run(_record(run, how.device))
            result = _train(run, attempt, how, last, pause)
        except StoreError:  # nothing wrong with the run: it goes on when there is room again
            raise
        except Diverged as error:
            result = _ended(Status.DIVERGED, str(error), last)
        except Exception as error:  # recorded with its cause, so that other runs go on
            write_text(attempt.path / "traceback.txt", traceback.format_exc())
            result = _ended(Status.FAILED, cause_of(error), last)
        if result is None:
            return Status.INTERRUPTED
        attempt.finish(result)
        attempt.checkpoints.remove()
    return result.status


def _record(run: RunConfig, device: torch.device) -> RunRecord:
    return RunRecord(
        config=run.to_dict(),
        fingerprint=measure_fingerprint(run),
        environment=describe_environment(device),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        replica=run.replica,
    )


def _train(
    run: RunConfig,
    attempt: Attempt,
    how: Execution,
    last: list[Measurement],
    pause: Pause | None,
) -> Result | None:
    config, device = run.train, how.device
    peak_flops = training_peak(PRECISION.build(run.variant.precision.train), device)
    forget_peak_memory(device)
    dataset, model = load_dataset(run.data), _new_model(run, device)
    cost = measure_cost(run.variant, config.seq_len)
    flops = training_flops(run.variant, config, cost)
    if run.component_folders and cost.params < LARGE:
        refuse_leak(run.variant, config.seq_len)
    order = batches(dataset, config.batch_size, config.seq_len, run.seed_of("data"), device)
    norms = {"start": gradient_norms(model, *order[0])}
    begin = partial(
        Training,
        batches=order,
        evaluate=evaluator_of(run, dataset, device),
        config=config,
        flops=flops,
        seed=run.seed_of("dropout"),
        peak_flops=peak_flops,
    )
    training = begin(model, state=resume(attempt, device))
    saves = Saves(attempt, how.checkpoint_seconds)
    evaluation: Evaluation | None = None
    for point in training:
        attempt.append_measurement(point.to_dict())
        attempt.beat(_heartbeat(point))
        last[:] = [point]
        evaluation = point.evaluation or evaluation
        if point.fraction < 1.0:
            if pause and point.evaluation and pause(point):
                saves.save(training, point)
                return None
            saves.save_if_due(training, point)
    norms["end"] = gradient_norms(model, *order[0])
    assert evaluation, "the last measurement has an evaluation"
    found = scores(evaluation, dataset.held_out)
    weights = attempt.write_weights(partial(save_weights, model))
    leave_samples(attempt, model, dataset, run.samples, run.effective_seed)
    best, best_weights = best_step(attempt), None
    if best != last[0].step and (state := best_state(attempt)):
        begin(model, state=state).finish()
        best_weights = attempt.write_weights(partial(save_weights, model), "best")
    tokens, an_epoch = last[0].tokens, order.order.tokens_per_epoch
    seen = {"tokens_per_param": tokens / cost.params, "epochs": tokens / an_epoch}
    seen |= _of_branches(attempt)
    return Result(
        status=Status.DONE,
        seconds=last[0].seconds,
        **{**found, "metrics": {**_spent(last[0]), **seen, **found["metrics"]}},
        cost=cost.to_dict() | {"update_flops_per_token": flops.per_step / config.tokens_per_step},
        grad_norm_by_layer=norms,
        resumes=attempt.read_resumes(),
        weights_sha256=weights,
        best_step=best,
        best_weights_sha256=best_weights,
    )


def _new_model(run: RunConfig, device: torch.device) -> LanguageModel:
    """Return the model as it is before its first step."""
    seed = run.seed_of("init")
    torch.manual_seed(address(seed, "build"))  # for components that draw although they should not
    model = LanguageModel(run.variant).initialize(seed)
    if run.init_from:
        run.init_from.load_into(model)
    model.to(device)
    model.checkpointing = run.train.gradient_checkpointing
    if run.train.compile:
        model.compile_trunk()
    return model


def _of_branches(attempt: Attempt) -> dict[str, float]:
    """Return the metrics of the ends of branches, as in `at_0.25/val_loss`."""
    found = [point["branches"] for point in attempt.read_curve() if "branches" in point]
    ends = {name: metrics for branches in found for name, metrics in branches.items()}
    return {f"{end}/{key}": value for end in ends for key, value in ends[end].items()}


def _heartbeat(point: Measurement) -> Heartbeat:
    return Heartbeat(
        fraction=point.fraction,
        step=point.step,
        loss=point.train_loss,
        tokens_per_s=point.tokens_per_s,
        share_of_peak=point.share_of_peak,
        seconds_left=point.seconds * (1 - point.fraction) / point.fraction,
    )


def _spent(point: Measurement) -> dict[str, Any]:
    speed = point.tokens / point.seconds
    share = point.share_of_peak and point.share_of_peak * speed / point.tokens_per_s
    return {
        "steps": point.step,
        "tokens": point.tokens,
        "flops": point.flops,
        "train_loss": point.train_loss,
        "tokens_per_s": speed,
        "share_of_peak": share,
        "peak_memory": point.peak_memory,
    }


def _ended(status: Status, cause: str, last: list[Measurement]) -> Result:
    seconds = last[0].seconds if last else 0.0
    metrics = _spent(last[0]) if last else {}
    return Result(status=status, cause=cause, seconds=seconds, metrics=metrics)  # type: ignore[arg-type]
