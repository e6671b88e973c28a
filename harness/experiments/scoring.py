"""How a run is scored on held-out documents: alike in training and with its final weights."""

from typing import Any

import torch

from harness.data.dataset import Dataset
from harness.experiments.run_config import RunConfig
from harness.training.evaluation import Evaluation, Evaluator

EVALUATION_BATCH = 32  # rows; fixed, because the number of rows changes the last bits


def evaluator_of(run: RunConfig, dataset: Dataset, device: torch.device) -> Evaluator:
    """Return what scores the models of a run."""
    return Evaluator(
        dataset.held_out, run.train.seq_len, EVALUATION_BATCH, device, dataset.separator
    )


def scores(evaluation: Evaluation, dataset: Dataset) -> dict[str, Any]:
    """Return an evaluation as the store keeps it: metrics, documents and details."""
    names = [document.id for document in dataset.held_out]
    documents = zip(evaluation.nats, evaluation.n_bytes, strict=True)
    return {
        "metrics": evaluation.metrics(),
        "documents": dict(zip(names, documents, strict=True)),
        "expert_tokens": evaluation.expert_tokens,
        "loss_by_position": evaluation.loss_by_position,
    }
