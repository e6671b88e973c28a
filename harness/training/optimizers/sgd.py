"""Stochastic gradient descent with momentum."""

import torch

from harness.core.model import LanguageModel
from harness.training.optimizers import OPTIMIZER, Optimizer
from harness.training.optimizers._groups import Beta, Decay, Decays, Rate, rate_groups


@OPTIMIZER.register("sgd")
class SGD(Optimizer):
    """`buffer = momentum * buffer + gradient`, and a step along the buffer.

    Weight decay is added to the gradient, so it passes through the momentum.

    Options:
        lr: Peak learning rate, > 0.
        momentum: Decay of the sum of gradients; 0 is plain SGD.
        nesterov: Whether to step along `gradient + momentum * buffer` instead.
        weight_decay: Factor of the weights that are added to their gradient.
        decays: What decays: `matrices`, or `all` parameters.

    Source:
        Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning";
        torch's fused implementation, which differs in that the rate multiplies the buffer. Under
        muP (`mup_base_width`) all but hidden matrices have a rate that grows with the width: Yang
        et al. 2022, arXiv:2203.03466, table 8.
    """

    def __init__(
        self,
        *,
        lr: Rate = 0.1,
        momentum: Beta = 0.9,
        nesterov: bool = True,
        weight_decay: Decay = 0.0,
        decays: Decays = "matrices",
    ) -> None:
        if nesterov and not momentum:
            raise ValueError("nesterov looks ahead along the momentum, but momentum is 0")
        self.lr, self.momentum, self.nesterov = lr, momentum, nesterov
        self.weight_decay, self.decays = weight_decay, decays

    def build(self, model: LanguageModel) -> torch.optim.Optimizer:
        """Return torch's fused SGD with a group of matrices and one of vectors."""
        faster = model.spec.width_ratio
        groups = rate_groups(model, self.lr, self.weight_decay, self.decays, other=faster)
        return torch.optim.SGD(
            groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov, fused=True
        )
