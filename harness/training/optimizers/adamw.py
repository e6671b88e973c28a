"""Adam with decoupled weight decay, on matrices only."""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from harness.training.optimizers import OPTIMIZER, Optimizer

Beta = Annotated[float, Field(ge=0, lt=1)]


@OPTIMIZER.register("adamw")
class AdamW(Optimizer):
    """AdamW; parameters with one axis (norms, biases) do not decay.

    Options:
        lr: Peak learning rate, > 0.
        beta1: Decay of the mean of gradients.
        beta2: Decay of the mean of their squares.
        eps: Added to the root of the mean square.
        weight_decay: Per step and unit of learning rate, on matrices.

    Source:
        Loshchilov and Hutter 2017, "Decoupled Weight Decay Regularization", arXiv:1711.05101;
        torch's fused implementation.
    """

    def __init__(
        self,
        *,
        lr: Annotated[float, Field(gt=0, le=100)] = 4e-3,
        beta1: Beta = 0.9,
        beta2: Beta = 0.99,
        eps: Annotated[float, Field(gt=0)] = 1e-8,
        weight_decay: Annotated[float, Field(ge=0)] = 0.1,
    ) -> None:
        self.lr, self.betas, self.eps, self.weight_decay = lr, (beta1, beta2), eps, weight_decay

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return torch's fused AdamW with a group that decays and one that does not."""
        matrices = [p for p in model.parameters() if p.ndim >= 2]
        vectors = [p for p in model.parameters() if p.ndim < 2]
        groups = [
            {"params": matrices, "weight_decay": self.weight_decay, "peak_lr": self.lr},
            {"params": vectors, "weight_decay": 0.0, "peak_lr": self.lr},
        ]
        return torch.optim.AdamW(groups, lr=self.lr, betas=self.betas, eps=self.eps, fused=True)
