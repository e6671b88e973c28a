"""How long a plan will take on this machine, from a few steps of its own training."""

import os
import time

import torch

from harness.core.cost import Cost
from harness.core.model import LanguageModel
from harness.data.dataset import load_dataset
from harness.experiments.planned import ExperimentPlan, PlannedArm
from harness.training.budget import Budget

TOO_LARGE = 500_000_000  # bytes; larger models are not built only to be timed
STEPS = 3


def estimate_seconds(plan: ExperimentPlan, workers: int | None = None) -> float | None:
    """Return about how long the pending runs will take, or None if trying would be too much."""
    device = plan.device
    slots = workers or (torch.cuda.device_count() if device.type == "cuda" else os.cpu_count()) or 1
    sample = min(plan.arms.values(), key=lambda arm: arm.memory)
    if not plan.pending or sample.memory > TOO_LARGE:
        return None if plan.pending else 0.0
    flops_per_s = _measure_speed(sample, device)
    of_arm = {name: _seconds_of(arm, flops_per_s) for name, arm in plan.arms.items()}
    seconds = [of_arm[run.arm] for run in plan.pending]
    return max(sum(seconds) / slots, max(seconds))


def _measure_speed(arm: PlannedArm, device: torch.device) -> float:
    """Return training FLOPs per second of one worker: the median of a few steps."""
    train, vocab_size = arm.arm.train, arm.matched.spec.dims.vocab_size
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = LanguageModel(arm.matched.spec).initialize(0).to(device)
    tokens = torch.randint(vocab_size, (train.batch_size, train.seq_len), device=device)
    times = []
    for _ in range(STEPS + 1):
        started = time.perf_counter()
        model.loss(tokens, tokens).backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    flops = tokens.numel() * arm.matched.cost.train_flops_per_token
    return flops / sorted(times[1:])[STEPS // 2]


def _seconds_of(arm: PlannedArm, flops_per_s: float) -> float:
    train, cost = arm.arm.train, arm.matched.cost
    training = _training_flops(train.budget, cost, train.batch_size * train.seq_len)
    scored = sum(len(document.tokens) for document in load_dataset(arm.arm.data).held_out)
    evaluating = train.evaluations * scored * cost.forward_flops_per_token
    if train.budget.unit == "seconds":
        return train.budget.amount + evaluating / flops_per_s
    return (training + evaluating) / flops_per_s


def _training_flops(budget: Budget, cost: Cost, tokens_per_step: int) -> float:
    if budget.unit == "flops":
        return budget.amount
    tokens = budget.amount * (tokens_per_step if budget.unit == "steps" else 1)
    return tokens * cost.train_flops_per_token
