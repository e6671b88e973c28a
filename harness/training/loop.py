"""The training loop: spend a budget, report what happened."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace

import torch
from torch import nn

from harness.core.model import LanguageModel
from harness.core.slots import PRECISION
from harness.data.batches import Batch
from harness.errors import AblateError, Diverged
from harness.training.config import TrainConfig
from harness.training.ema import WeightAverage
from harness.training.evaluation import Evaluate, Evaluation
from harness.training.flops import TrainingFlops
from harness.training.machine import peak_memory
from harness.training.measurement import Counters, Measurement, Step
from harness.training.optimizers import OPTIMIZER
from harness.training.randomness import address
from harness.training.schedules import SCHEDULE, Branch
from harness.training.stages import Batches, take
from harness.training.state import TrainingState, gather, scatter

REPORTS = 100  # measurements of the training loss over the budget, besides the evaluations


class Training:
    """A training under way: iterating goes on with it, from measurement to measurement.

    While it goes on, the model is as its training precision makes it, also where it is evaluated;
    when the iteration ends or is closed, its weights are plain again.
    """

    def __init__(
        self,
        model: LanguageModel,
        batches: Batches,
        evaluate: Evaluate,
        config: TrainConfig,
        *,
        flops: TrainingFlops,
        seed: int,
        state: TrainingState | None = None,
        peak_flops: float | None = None,
    ) -> None:
        """Prepare a training, or take one up where `state` was taken of it.

        Args:
            model: On the device to train on, initialised.
            batches: What step i trains on, if no stage has smaller batches.
            evaluate: Scores the model.
            config: Budget, optimizer and schedule.
            flops: For the curve and for budgets in FLOPs.
            seed: Keys the randomness of each step (dropout).
            state: Of a training with the same arguments.
            peak_flops: What the device could do a second, for `share_of_peak`.
        """
        self.model, self.batches, self.evaluate, self.config = model, batches, evaluate, config
        self.training_flops, self.seed, self.peak_flops = flops, seed, peak_flops
        self.device = model.head.weight.device
        self.precision = PRECISION.build(model.spec.precision.train)
        self.precision.prepare_training(model)
        self.optimizer = OPTIMIZER.build(config.optimizer).build(model)
        self.schedule = SCHEDULE.build(config.schedule)
        self.average = None if config.ema is None else WeightAverage(model, config.ema)
        self.counters = Counters()
        if state:
            self._go_on_from(state)

    @property
    def flops(self) -> float:
        """Training FLOPs so far."""
        now = self.counters
        return self.training_flops.total(now.step, now.tokens, now.shorter)

    @property
    def fraction(self) -> float:
        """The share of the budget that is spent."""
        now = self.counters
        return self.config.budget.fraction(
            tokens=now.tokens, steps=now.step, flops=self.flops, seconds=now.seconds
        )

    def state(self) -> TrainingState:
        """Return what the training needs to be taken up from the last measurement.

        The tensors are those that training changes: save them before it goes on.
        """
        tensors = gather(self.model, self.optimizer)
        if self.average:
            tensors |= self.average.tensors()
        return TrainingState(tensors, asdict(self.counters))

    def _go_on_from(self, state: TrainingState) -> None:
        scatter(state.tensors, self.model, self.optimizer)
        self.counters = Counters(**state.numbers)
        if self.average:
            self.average.restore(state.tensors, self.counters.step)

    def __iter__(self) -> Iterator[Measurement]:
        """Train, yielding a measurement a hundred times over the budget.

        Raises:
            AblateError: the targets are the tokens themselves.
            Diverged: the loss or the gradient became infinite or NaN, and the update was not made;
                or the held-out loss did.
        """
        self.model.train()
        try:
            if self.config.compile:
                self._warm_up()
            while self.fraction < 1.0:
                point = self._measure(list(self._steps_until_due()))
                yield replace(point, branches=dict(self._follow_branches()))
        finally:
            self.finish()

    def finish(self) -> None:
        """Give the model plain weights again, those that it is evaluated with."""
        if self.average:
            self.average.replace(self.model)
        self.precision.finish_training(self.model)

    def _warm_up(self) -> None:
        """Compile for every shape of a batch, on no clock, and leave no trace of it."""
        buffers = {name: tensor.clone() for name, tensor in self.model.named_buffers()}
        for stage in (*self.config.stages, None):
            batch, _ = take(self.batches, 0, self.config.batch_size, stage)
            self._backward(batch.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        for name, tensor in self.model.named_buffers():
            tensor.copy_(buffers[name])

    def _steps_until_due(self) -> Iterator["Step"]:
        while True:
            yield self._step(self.schedule.factor)
            now, spent = self.counters, self.fraction
            evaluations = math.floor(spent * self.config.evaluations + 1e-9)
            reports = math.floor(spent * REPORTS + 1e-9)
            if evaluations > now.evaluations or reports > now.reports or self._branch():
                return

    def _branch(self) -> Branch | None:
        """Return the next decay that leaves the training, if it does so here."""
        following = self.schedule.branches()[self.counters.branches :]
        return following[0] if following and self.fraction >= following[0].start else None

    def _follow_branches(self) -> Iterator[tuple[str, dict[str, float]]]:
        """Train to the ends of the decays that begin here, and come back from each."""
        while branch := self._branch():
            here = self.state().copy()
            while self.fraction < branch.end:
                self._step(branch.factor)
            spent = {"tokens": self.counters.tokens, "flops": self.flops}
            yield branch.name, spent | self._evaluate().metrics()
            self._go_on_from(here)
            self.counters.branches += 1

    def _step(self, rate: Callable[[float], float]) -> "Step":
        now, flops_before, started = self.counters, self.flops, time.perf_counter()
        stage = self.config.stage(self.fraction)
        batch, rows = take(self.batches, now.rows, self.config.batch_size, stage)
        batch = batch.to(self.device)
        if now.step == 0:
            _refuse_unshifted(batch)
        factor = rate(self.fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = factor * group["peak_lr"]
        loss, auxiliary = self._backward(batch)
        grad_norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip)
        done = Step(
            loss=loss,
            auxiliary=auxiliary,
            grad_norm=grad_norm.item(),
            lr=self.optimizer.param_groups[0]["lr"],
            tokens=batch.tokens.numel(),
        )
        _stop_if_diverged(done.loss, done.grad_norm, now.step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average:
            self.average.update(self.model)
        now.step, now.tokens, now.rows = now.step + 1, now.tokens + done.tokens, rows
        if stage and stage.seq_len:
            length = str(stage.seq_len)  # JSON has no other keys
            now.shorter[length] = now.shorter.get(length, 0) + done.tokens
        done.flops = self.flops - flops_before
        done.seconds = time.perf_counter() - started
        now.seconds += done.seconds
        return done

    def _backward(self, batch: Batch) -> tuple[float, float]:
        """Add up gradients, one micro-batch after the other; return the loss in its two parts."""
        step, sums, n_targets = self.counters.step, torch.zeros(2), batch.n_targets
        parts = batch.chunk(self.config.micro_batches)
        for i, part in enumerate(parts):
            torch.manual_seed(address(self.seed, "step" if i == 0 else f"micro-batch {i}", step))
            with self.precision.autocast(self.device):
                loss = self.model.losses(part.tokens, part.targets, documents=part.documents)
            share = 1.0 if len(parts) == 1 else part.n_targets / n_targets.clamp(min=1)
            (loss.total * share).backward()
            losses = loss.objective.detach(), torch.as_tensor(loss.auxiliary).detach()
            sums += torch.stack([(value * share).cpu() for value in losses])
        objective, auxiliary = sums.tolist()
        return objective, auxiliary

    def _measure(self, steps: "list[Step]") -> Measurement:
        """Sum up the steps since the last measurement, and evaluate if that is due."""
        now, spent = self.counters, self.fraction
        due = math.floor(spent * self.config.evaluations + 1e-9)
        evaluation = self._evaluate() if due > now.evaluations else None
        now.evaluations, now.reports = due, math.floor(spent * REPORTS + 1e-9)
        seconds, peak = sum(step.seconds for step in steps), self.peak_flops
        return Measurement(
            step=now.step,
            tokens=now.tokens,
            flops=self.flops,
            seconds=now.seconds,
            fraction=spent,
            train_loss=sum(step.loss for step in steps) / len(steps),
            auxiliary_loss=sum(step.auxiliary for step in steps) / len(steps),
            lr=steps[-1].lr,
            grad_norm=steps[-1].grad_norm,
            tokens_per_s=sum(step.tokens for step in steps) / seconds,
            share_of_peak=sum(step.flops for step in steps) / seconds / peak if peak else None,
            peak_memory=peak_memory(self.device),
            evaluation=evaluation,
        )

    def _evaluate(self) -> Evaluation:
        with self.average.swapped_in(self.model) if self.average else nullcontext():
            found = self.evaluate(self.model)
        if not math.isfinite(found.val_loss):
            step = self.counters.step
            raise Diverged(f"the held-out loss is {found.val_loss} after step {step}")
        return found


def _refuse_unshifted(batch: Batch) -> None:
    """Refuse to train the identity. Rows of one token say nothing: there both look alike."""
    tokens = batch.tokens
    if torch.equal(tokens, batch.targets) and bool((tokens != tokens[:, :1]).any()):
        shifted = "targets must be the next tokens; the loss shifts nothing"
        raise AblateError(f"the targets of the first batch are its tokens: {shifted}")


def _stop_if_diverged(loss: float, grad_norm: float, step: int) -> None:
    for name, value in (("loss", loss), ("gradient norm", grad_norm)):
        if not math.isfinite(value):
            raise Diverged(f"the {name} is {value} at step {step + 1}; the update was not made")
