"""Score a model on held-out documents: every byte once, with the loss of each document."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from harness.core.cross_entropy import IGNORE, token_losses
from harness.core.model import LanguageModel
from harness.data.batches import EvaluationBatch, evaluation_batches
from harness.data.dataset import HeldOut

Evaluate = Callable[[LanguageModel], "Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicts the held-out documents."""

    nats: tuple[float, ...]  # summed over the tokens of each document
    n_bytes: tuple[int, ...]  # of each document
    n_tokens: int
    n_correct: int

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

    def metrics(self) -> dict[str, float]:
        """Return the four metrics by name."""
        names = ("val_loss", "val_bpb", "val_accuracy", "val_perplexity")
        return {name: getattr(self, name) for name in names}


class Evaluator:
    """Scores models on the same windows, in the same batches, always."""

    def __init__(
        self, held_out: Sequence[HeldOut], seq_len: int, batch_size: int, device: torch.device
    ) -> None:
        self.n_bytes = tuple(document.n_bytes for document in held_out)
        self.batches: list[EvaluationBatch] = evaluation_batches(held_out, batch_size, seq_len)
        self.device = device

    @torch.no_grad()
    def __call__(self, model: LanguageModel) -> Evaluation:
        """Return the evaluation of a model; its training mode is restored afterwards."""
        was_training = model.training
        model.eval()
        nats = torch.zeros(len(self.n_bytes), dtype=torch.float64)
        n_tokens = n_correct = 0
        for batch in self.batches:
            tokens, targets = batch.tokens.to(self.device), batch.targets.to(self.device)
            hidden, _ = model.hidden(tokens)
            losses, correct = token_losses(hidden.flatten(0, 1), model.head, targets.flatten())
            per_row = losses.double().view(targets.shape).sum(1).cpu()
            nats.index_add_(0, batch.document, per_row)
            n_tokens += int((targets != IGNORE).sum())
            n_correct += int(correct.sum())
        model.train(was_training)
        return Evaluation(tuple(nats.tolist()), self.n_bytes, n_tokens, n_correct)
