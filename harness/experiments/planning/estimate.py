"""How long a plan will take on this machine, from a few steps of its own training."""

import os
import statistics
import time
from collections.abc import Sequence

import torch

from harness.core.model import LanguageModel
from harness.core.slots import PRECISION
from harness.data.dataset import HeldOut, load_dataset
from harness.experiments.planning.planned import ExperimentPlan, PlannedArm
from harness.experiments.planning.prepared import planned_tokens
from harness.experiments.question.evaluation_set import HELD_OUT

TOO_LARGE = 500_000_000  # bytes; larger models are not built only to be timed
STEPS = 3
ENOUGH = 2.0  # seconds; an arm whose steps are slow is timed by fewer of them


def estimate_seconds(plan: ExperimentPlan, workers: int | None = None) -> float | None:
    """Return about how long the pending runs, and those foreseen, will take.

    None, if trying would be too much.

    Every arm takes a few steps of its own: kinds of layers, and precisions, differ in speed.
    """
    device = plan.device
    slots = workers or (torch.cuda.device_count() if device.type == "cuda" else os.cpu_count()) or 1
    wanted = [*(run.wanted for run in plan.pending), *plan.expected]
    arms = {one.arm: plan.arms[one.arm] for one in wanted}
    if any(arm.memory > TOO_LARGE for arm in arms.values()):
        return None
    if not arms:
        return 0.0
    speeds = {name: _measure_speed(arm, device) for name, arm in arms.items()}
    training = {name: _training_seconds(arm, speeds[name]) for name, arm in arms.items()}
    trainings = [*(run.wanted for run in plan.trainings), *plan.expected]
    seconds = [training[one.arm] * one.budget_share for one in trainings]
    flops = {name: _final_flops(arm) for name, arm in arms.items()}
    scorings = [
        (run.arm, name) for run in plan.pending for name in run.scorings if name not in run.measured
    ]
    scorings += [(one.arm, on.name) for one in plan.expected for on in arms[one.arm].arm.evaluate]
    seconds += [flops[arm][name] / speeds[arm] for arm, name in scorings]
    return max(sum(seconds) / slots, max(seconds))


def _measure_speed(arm: PlannedArm, device: torch.device) -> float:
    """Return training FLOPs per second of one worker: the median of a few steps."""
    train, spec = arm.arm.train, arm.matched.spec
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = LanguageModel(spec).initialize(0).to(device)
    precision = PRECISION.build(spec.precision.train)
    precision.prepare_training(model)
    size = (train.batch_size, train.seq_len)
    tokens = torch.randint(spec.dims.vocab_size, size, device=device)
    times: list[float] = []
    while len(times) < STEPS + 1 and sum(times) < ENOUGH:
        started = time.perf_counter()
        with precision.autocast(device):
            loss = model.loss(tokens, tokens)
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    flops = tokens.numel() * arm.matched.cost.train_flops_per_token
    return flops / statistics.median(times[1:] or times)


def _training_seconds(arm: PlannedArm, flops_per_s: float) -> float:
    train, cost = arm.arm.train, arm.matched.cost
    evaluating = train.evaluations * _scoring_flops(arm) / flops_per_s
    if train.budget.unit == "seconds":
        return train.budget.amount + evaluating
    tokens = planned_tokens(train, cost)
    assert tokens is not None  # the budget is not of seconds
    return tokens * cost.train_flops_per_token / flops_per_s + evaluating


def _scoring_flops(arm: PlannedArm) -> float:
    """Return the FLOPs of an evaluation."""
    return _forward_flops(arm, load_dataset(arm.arm.data).held_out)


def _final_flops(arm: PlannedArm) -> dict[str, float]:
    """Return the FLOPs of each scoring of final weights."""
    sets = {one.name: _forward_flops(arm, one.scored.load()[0]) for one in arm.arm.evaluate}
    return {HELD_OUT: _scoring_flops(arm), **sets}


def _forward_flops(arm: PlannedArm, scored: Sequence[HeldOut]) -> float:
    n_tokens = sum(len(document.tokens) for document in scored)
    return n_tokens * arm.matched.cost.forward_flops_per_token
