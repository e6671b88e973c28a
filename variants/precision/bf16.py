"""bfloat16: matrix products in 16 bits, everything delicate in 32."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from harness.core.slots import PRECISION, Precision


@PRECISION.register("bf16")
class BF16(Precision):
    """Train under autocast with fp32 weights; at inference convert the weights to bfloat16.

    Slow on processors without bfloat16 units (ten times and more), fast on GPUs.

    Source:
        Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep Learning Training", arXiv:1905.12322.
    """

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        """Return torch's autocast to bfloat16."""
        return torch.autocast(device.type, dtype=torch.bfloat16)

    def prepare_inference(self, model: nn.Module) -> None:
        """Convert all weights; norms still compute in fp32."""
        model.to(torch.bfloat16)
