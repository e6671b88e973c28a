"""SwiGLU feed-forward: the Qwen3 baseline."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import FFN, FeedForward


@FFN.register("swiglu")
class SwiGLU(FeedForward):
    """`down(silu(gate(x)) * up(x))`, with `d_ff` hidden channels and no biases.

    Source:
        Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202.
    """

    output_projections = ("down_proj.weight",)

    def __init__(self, dims: Dims, layer_idx: int) -> None:
        super().__init__(dims, layer_idx)
        self.gate_proj = nn.Linear(dims.d_model, dims.d_ff, bias=False)
        self.up_proj = nn.Linear(dims.d_model, dims.d_ff, bias=False)
        self.down_proj = nn.Linear(dims.d_ff, dims.d_model, bias=False)

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
