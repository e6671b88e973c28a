"""The training loop: spend a budget, report what happened."""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from harness.core.model import LanguageModel
from harness.core.slots import PRECISION
from harness.data.batches import Batch
from harness.errors import AblateError, Diverged
from harness.training.config import TrainConfig
from harness.training.evaluation import Evaluate, Evaluation
from harness.training.optimizers import OPTIMIZER
from harness.training.randomness import address
from harness.training.schedules import SCHEDULE

REPORTS = 100  # measurements of the training loss over the budget, besides the evaluations


class Batches(Protocol):
    """Batches by step, or plain tokens and targets: any step can be asked for at any time."""

    def __getitem__(self, step: int) -> Batch | tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Measurement:
    """One point on a learning curve. Losses are in nats per token."""

    step: int
    tokens: int
    flops: float
    seconds: float  # of training: evaluation is not charged to the budget
    fraction: float  # of the budget
    train_loss: float  # of the objective, mean since the last measurement
    auxiliary_loss: float  # what components add to it, likewise
    lr: float
    grad_norm: float  # of the last step, before clipping
    tokens_per_s: float  # since the last measurement
    evaluation: Evaluation | None  # at evenly spaced fractions of the budget, and at its end

    def to_dict(self) -> dict[str, Any]:
        """Write it flat, with the metrics of the evaluation and without its documents."""
        flat = asdict(self)
        del flat["evaluation"]
        return flat | (self.evaluation.metrics() if self.evaluation else {})


def train(
    model: LanguageModel,
    batches: Batches,
    evaluate: Evaluate,
    config: TrainConfig,
    *,
    flops_per_token: float,
    seed: int,
) -> Iterator[Measurement]:
    """Train `model` in place, yielding a measurement a hundred times over the budget.

    The caller decides what a measurement is for: storing it, pruning on it, drawing it. Closing
    the generator stops the training. While it goes on, the model is as its training precision
    makes it, also where it is evaluated; afterwards its weights are plain again.

    Args:
        model: On the device to train on, initialised.
        batches: What step i trains on.
        evaluate: Scores the model.
        config: Budget, optimizer and schedule.
        flops_per_token: Of a training step, for the curve and for budgets in FLOPs.
        seed: Keys the randomness of each step (dropout).

    Raises:
        AblateError: the targets are the tokens themselves.
        Diverged: the loss or the gradient became infinite or NaN, and the update was not made; or
            the held-out loss did.
    """
    device = model.head.weight.device
    precision = PRECISION.build(model.spec.precision.train)
    precision.prepare_training(model)
    optimizer = OPTIMIZER.build(config.optimizer).build(model)
    schedule = SCHEDULE.build(config.schedule)
    step, tokens, seconds, spent = 0, 0, 0.0, 0.0
    report, evaluation = _Every(REPORTS), _Every(config.evaluations)
    losses: list[float] = []
    auxiliary: list[float] = []
    since_tokens, since_seconds = 0, 0.0
    model.train()

    try:
        while spent < 1.0:
            started = time.perf_counter()
            inputs, targets, documents = Batch(*batches[step]).to(device)
            if step == 0:
                _refuse_unshifted(inputs, targets)
            torch.manual_seed(address(seed, "step", step))
            factor = schedule.factor(spent)
            for group in optimizer.param_groups:
                group["lr"] = factor * group["peak_lr"]

            with precision.autocast(device):
                loss = model.losses(inputs, targets, documents=documents)
            loss.total.backward()
            grad_norm = nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
            losses.append(loss.objective.item())
            auxiliary.append(torch.as_tensor(loss.auxiliary).item())
            _stop_if_diverged(losses[-1], grad_norm.item(), step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

            step, tokens = step + 1, tokens + inputs.numel()
            seconds += time.perf_counter() - started
            flops = tokens * flops_per_token
            spent = config.budget.fraction(tokens=tokens, steps=step, flops=flops, seconds=seconds)

            evaluate_now = evaluation.due(spent)
            if report.due(spent) or evaluate_now:
                evaluated = evaluate(model) if evaluate_now else None
                if evaluated and not math.isfinite(evaluated.val_loss):
                    raise Diverged(f"the held-out loss is {evaluated.val_loss} after step {step}")
                yield Measurement(
                    step=step,
                    tokens=tokens,
                    flops=flops,
                    seconds=seconds,
                    fraction=spent,
                    train_loss=sum(losses) / len(losses),
                    auxiliary_loss=sum(auxiliary) / len(auxiliary),
                    lr=optimizer.param_groups[0]["lr"],
                    grad_norm=grad_norm.item(),
                    tokens_per_s=(tokens - since_tokens) / (seconds - since_seconds),
                    evaluation=evaluated,
                )
                losses, auxiliary, since_tokens, since_seconds = [], [], tokens, seconds
    finally:  # also when the generator is closed before its end
        precision.finish_training(model)


class _Every:
    """Says when another of `times` evenly spaced fractions has been reached."""

    def __init__(self, times: int) -> None:
        self.times, self.passed = times, 0

    def due(self, fraction: float) -> bool:
        reached = math.floor(fraction * self.times + 1e-9)
        due, self.passed = reached > self.passed, reached
        return due


def _refuse_unshifted(inputs: Tensor, targets: Tensor) -> None:
    """Refuse to train the identity. Rows of one token say nothing: there both look alike."""
    if torch.equal(inputs, targets) and bool((inputs != inputs[:, :1]).any()):
        shifted = "targets must be the next tokens; the loss shifts nothing"
        raise AblateError(f"the targets of the first batch are its tokens: {shifted}")


def _stop_if_diverged(loss: float, grad_norm: float, step: int) -> None:
    for name, value in (("loss", loss), ("gradient norm", grad_norm)):
        if not math.isfinite(value):
            raise Diverged(f"the {name} is {value} at step {step + 1}; the update was not made")
