"""Score a model on held-out documents: every byte once, with the loss of each document."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from harness.core.cross_entropy import token_losses
from harness.core.model import LanguageModel
from harness.core.routing import CHOSEN, expert_tokens
from harness.core.targets import IGNORE
from harness.data.batches import EvaluationBatch, evaluation_batches
from harness.data.dataset import HeldOut
from harness.training.activations import RESIDUAL, ActivationMeter, Activations

Evaluate = Callable[[LanguageModel], "Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicts the held-out documents."""

    nats: tuple[float, ...]  # summed over the tokens of each document
    n_bytes: tuple[int, ...]  # of each document; 0 where it is no text of known size
    n_tokens: int
    n_correct: int
    # by layer that has experts, how many tokens met each of them
    expert_tokens: dict[int, tuple[int, ...]] = field(default_factory=dict)
    # nats per token at the positions 0, 1, 2-3, 4-7, ... of windows, by the first of each range
    loss_by_position: dict[int, float] = field(default_factory=dict)
    activations: Activations = field(default_factory=dict)

    @property
    def val_loss(self) -> float:
        """Nats per token."""
        return sum(self.nats) / self.n_tokens

    @property
    def val_bpb(self) -> float:
        """Bits per UTF-8 byte: comparable across tokenizers."""
        return sum(self.nats) / math.log(2) / sum(self.n_bytes)

    @property
    def val_accuracy(self) -> float:
        """Share of tokens that were the most likely one."""
        return self.n_correct / self.n_tokens

    @property
    def val_perplexity(self) -> float:
        """exp(val_loss)."""
        return math.exp(min(self.val_loss, 700.0))

    @property
    def expert_load_max(self) -> float:
        """Load of the busiest expert over the mean load, 1 when all are equal; mean over layers."""
        loads = self.expert_tokens.values()
        return sum(max(load) * len(load) / sum(load) for load in loads) / len(loads)

    def metrics(self) -> dict[str, float]:
        """Return the metrics by name: without `val_bpb` where what is scored is no text of known
        size, and with experts the load of the busiest.
        """
        names = ["val_loss", "val_bpb", "val_accuracy", "val_perplexity"]
        names += ["expert_load_max"] if self.expert_tokens else []
        if not all(self.n_bytes):
            names.remove("val_bpb")
        return {name: getattr(self, name) for name in names}

    def sizes(self) -> dict[str, float]:
        """Return the largest rms of the residual stream after any block, and its largest |x|."""
        if RESIDUAL not in self.activations:
            return {}
        stream = self.activations[RESIDUAL]
        names = {"activation_rms_max": "rms", "activation_max": "max"}
        return {name: max(filter(None, stream[kind]), default=0.0) for name, kind in names.items()}

    def to_point(self) -> dict[str, Any]:
        """Write it for a learning curve: without its documents."""
        return {**self.metrics(), **self.sizes(), "activations": self.activations}


class Evaluator:
    """Scores models on the same windows, in the same batches, always."""

    def __init__(
        self,
        held_out: Sequence[HeldOut],
        seq_len: int,
        batch_size: int,
        device: torch.device,
        separator: int | None = None,
    ) -> None:
        self.n_bytes = tuple(document.n_bytes for document in held_out)
        self.batches: list[EvaluationBatch] = evaluation_batches(
            held_out, batch_size, seq_len, separator
        )
        self.device, self.seq_len = device, seq_len

    @torch.no_grad()
    def __call__(self, model: LanguageModel) -> Evaluation:
        """Return the evaluation of a model; its training mode is restored afterwards."""
        was_training = model.training
        model.eval()
        nats = torch.zeros(len(self.n_bytes), dtype=torch.float64)
        nats_at, tokens_at = torch.zeros(2, self.seq_len, dtype=torch.float64)
        loads: dict[int, Tensor] = {}
        n_tokens = n_correct = 0
        meter = ActivationMeter(model)
        for batch in self.batches:
            meter.expect(batch.real, self.device)
            tokens, targets = batch.tokens.to(self.device), batch.targets.to(self.device)
            counted = targets != IGNORE
            documents = None if batch.documents is None else batch.documents.to(self.device)
            with meter.attached():
                hidden, context = model.hidden(tokens, documents=documents)
            losses, correct = token_losses(hidden.flatten(0, 1), model.head, targets.flatten())
            losses = losses.double().view(targets.shape).cpu()
            nats.index_add_(0, batch.document, losses.sum(1))
            nats_at[: targets.shape[1]] += losses.sum(0)
            tokens_at[: targets.shape[1]] += counted.sum(0).cpu()
            n_tokens += int(counted.sum())
            n_correct += int(correct.sum())
            for layer_idx in context.published(CHOSEN):
                load = expert_tokens(context, layer_idx, counted)
                loads[layer_idx] = loads.get(layer_idx, torch.zeros_like(load)) + load
        model.train(was_training)
        experts = {layer_idx: tuple(load.tolist()) for layer_idx, load in loads.items()}
        return Evaluation(
            nats=tuple(nats.tolist()),
            n_bytes=self.n_bytes,
            n_tokens=n_tokens,
            n_correct=n_correct,
            expert_tokens=experts,
            loss_by_position=_in_ranges(nats_at, tokens_at),
            activations=meter.found(),
        )


def _in_ranges(nats_at: Tensor, tokens_at: Tensor) -> dict[int, float]:
    """Return the mean loss of ranges of positions, each twice as long as the one before it."""
    starts = [0, *(2**i for i in range(len(nats_at).bit_length()) if 2**i < len(nats_at))]
    ends = [*starts[1:], len(nats_at)]
    found = {
        a: (nats_at[a:b].sum(), tokens_at[a:b].sum()) for a, b in zip(starts, ends, strict=True)
    }
    return {start: float(nats / tokens) for start, (nats, tokens) in found.items() if tokens}
