"""What turns gradients into updates: one optimizer, one file."""

from abc import ABC, abstractmethod

import torch
from torch import nn

from harness.core.registry import Registry


class Optimizer(ABC):
    """A recipe for a torch optimizer over the parameters of a model."""

    lr: float  # the peak learning rate

    @abstractmethod
    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer, its parameter groups carrying their peak rate as `peak_lr`."""


OPTIMIZER: Registry[Optimizer] = Registry("optimizer", Optimizer, "harness.training.optimizers")
