"""A training step of each model: forward, backward, clipping and AdamW."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from harness.bench.timing import Step
from harness.core.model import LanguageModel


def our_step(model: LanguageModel, tokens: Int[Tensor, "B T"], compiled: bool = False) -> Step:
    """Return a step of ours on tokens that are one longer than the sequences."""
    model.train()
    if compiled:
        model.compile_trunk()
    return _step(model, lambda: model.loss(tokens[:, :-1], tokens[:, 1:]))


def reference_step(reference: Any, tokens: Int[Tensor, "B T"], compiled: bool = False) -> Step:
    """Return the same step of transformers' model."""
    return _step(reference, reference_loss(reference, tokens, compiled))


def reference_loss(
    reference: Any, tokens: Int[Tensor, "B T"], compiled: bool = False
) -> Callable[[], Tensor]:
    """Return what computes the loss that ours minimises: the same targets, none dropped."""
    reference.train()
    reference.config.use_cache = False
    reference.config.output_router_logits = True  # or a mixture's balance loss is left out
    forward = torch.compile(reference) if compiled else reference
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    # `shift_labels` are used as they are; `labels` is there because without it there is no loss
    return lambda: forward(inputs, labels=inputs, shift_labels=targets).loss


def _step(model: nn.Module, loss: Callable[[], Tensor]) -> Step:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        loss().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
