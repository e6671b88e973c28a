"""GELU feed-forward: two matrices, no gate."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import FFN, FeedForward


@FFN.register("gelu")
class GELU(FeedForward):
    """`down(gelu(up(x)))`, with `d_ff` hidden channels and no biases.

    At equal `d_ff` this has two thirds of SwiGLU's parameters: match, or compare with care.

    Source:
        Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", arXiv:1606.08415 (the exact form).
    """

    output_projections = ("down_proj.weight",)

    def __init__(self, dims: Dims, layer_idx: int) -> None:
        super().__init__(dims, layer_idx)
        self.up_proj = nn.Linear(dims.d_model, dims.d_ff, bias=False)
        self.down_proj = nn.Linear(dims.d_ff, dims.d_model, bias=False)

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        return self.down_proj(F.gelu(self.up_proj(x)))
