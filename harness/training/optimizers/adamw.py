"""Adam with decoupled weight decay, on matrices only."""

from typing import Annotated

import torch
from pydantic import Field

from harness.core.model import LanguageModel
from harness.training.optimizers import OPTIMIZER, Optimizer
from harness.training.optimizers._groups import Beta, Decay, Decays, Rate, rate_groups


@OPTIMIZER.register("adamw")
class AdamW(Optimizer):
    """AdamW; parameters with one axis (norms, biases) do not decay, unless asked to.

    Options:
        lr: Peak learning rate, > 0.
        beta1: Decay of the mean of gradients.
        beta2: Decay of the mean of their squares.
        eps: Added to the root of the mean square.
        weight_decay: Per step and unit of learning rate.
        decays: What decays: `matrices`, or `all` parameters.

    Source:
        Loshchilov and Hutter 2017, "Decoupled Weight Decay Regularization", arXiv:1711.05101;
        torch's fused implementation. Under muP (`mup_base_width`) hidden matrices have a rate that
        falls as the width grows: Yang et al. 2022, arXiv:2203.03466, table 8.
    """

    def __init__(
        self,
        *,
        lr: Rate = 4e-3,
        beta1: Beta = 0.9,
        beta2: Beta = 0.99,
        eps: Annotated[float, Field(gt=0)] = 1e-8,
        weight_decay: Decay = 0.1,
        decays: Decays = "matrices",
    ) -> None:
        self.lr, self.betas, self.eps = lr, (beta1, beta2), eps
        self.weight_decay, self.decays = weight_decay, decays

    def build(self, model: LanguageModel) -> torch.optim.Optimizer:
        """Return torch's fused AdamW with a group of matrices and one of vectors."""
        slower = 1 / model.spec.width_ratio
        groups = rate_groups(model, self.lr, self.weight_decay, self.decays, hidden=slower)
        return torch.optim.AdamW(groups, lr=self.lr, betas=self.betas, eps=self.eps, fused=True)
