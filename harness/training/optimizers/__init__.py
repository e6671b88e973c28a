"""What turns gradients into updates: one optimizer, one file."""

from abc import ABC, abstractmethod

import torch

from harness.core.model import LanguageModel
from harness.core.registry import Registry


class Optimizer(ABC):
    """A recipe for a torch optimizer over the parameters of a model."""

    lr: float  # the peak learning rate, of the first parameter group

    @abstractmethod
    def build(self, model: LanguageModel) -> torch.optim.Optimizer:
        """Return the optimizer, its parameter groups carrying their peak rate as `peak_lr`.

        Each parameter of the model is in one group. The groups hold what JSON can write, besides
        the parameters, so that a `state_dict` can be stored without pickling it.
        """

    def flops_per_step(self, model: LanguageModel) -> int:
        """Return the FLOPs of the matrix products of one update; the meta device will do.

        They are charged to budgets in FLOPs. Element-wise work is not counted, as it is not in a
        model.
        """
        return 0


OPTIMIZER: Registry[Optimizer] = Registry("optimizer", Optimizer, "harness.training.optimizers")
