"""Quantisation-aware training: the model learns with the weights that inference will have."""

from torch import Tensor, nn
from torch.nn.utils import parametrize

from harness.core.quantize import fake_quantize
from harness.core.slots import PRECISION
from variants.precision._int8 import matrices
from variants.precision.int8 import Int8


@PRECISION.register("int8_qat")
class Int8QAT(Int8):
    """Train with the weights of `int8`, and convert to them at inference.

    Each forward pass sees the weights moved to their grid; gradients pass straight through to the
    fp32 weights, which the optimizer changes and which are what a run keeps.

    Options:
        group_size: Weights that share a scale, at least 4; halved, down to 4, until it divides the
            width of a matrix, which must then be so divisible.
        embedding: Whether the token embedding is quantised too, and with it a tied head.

    Source:
        Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference", arXiv:1712.05877, section 3; of weights alone, in
        groups, from the first step, and without batch norms to fold.
    """

    def prepare_training(self, model: nn.Module) -> None:
        for weight, modules in matrices(model, self.embedding).items():
            grid = _OnGrid(self.group_of(weight.shape[-1]))
            for module in modules:
                parametrize.register_parametrization(module, "weight", grid)

    def finish_training(self, model: nn.Module) -> None:
        for module in list(model.modules()):
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)


class _OnGrid(nn.Module):
    def __init__(self, group_size: int) -> None:
        super().__init__()
        self.group_size = group_size

    def forward(self, weight: Tensor) -> Tensor:
        return fake_quantize(weight, self.group_size)
