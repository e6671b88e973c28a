"""How a run is scored on held-out documents: alike in training and with its final weights."""

from collections.abc import Sequence
from typing import Any

import torch

from harness.data.dataset import Dataset, HeldOut
from harness.experiments.question.run_config import RunConfig
from harness.training.evaluation import Evaluation, Evaluator

EVALUATION_BATCH = 32  # rows; fixed, because the number of rows changes the last bits


def evaluator_of(run: RunConfig, dataset: Dataset, device: torch.device) -> Evaluator:
    """Return what scores the models of a run."""
    return evaluator_on(dataset.held_out, run.train.seq_len, device, dataset.separator)


def evaluator_on(
    held_out: Sequence[HeldOut], seq_len: int, device: torch.device, separator: int | None
) -> Evaluator:
    """Return what scores models on excerpts, in windows of `seq_len` tokens."""
    return Evaluator(held_out, seq_len, EVALUATION_BATCH, device, separator)


def scores(evaluation: Evaluation, held_out: Sequence[HeldOut]) -> dict[str, Any]:
    """Return an evaluation as the store keeps it: metrics, documents and details."""
    names = [document.id for document in held_out]
    documents = zip(evaluation.nats, evaluation.n_bytes, strict=True)
    return {
        "metrics": {**evaluation.metrics(), **evaluation.sizes()},
        "documents": dict(zip(names, documents, strict=True)),
        "expert_tokens": evaluation.expert_tokens,
        "loss_by_position": evaluation.loss_by_position,
        "activations": evaluation.activations,
    }
