"""Pre-norm residual block: the Qwen3 baseline."""

from jaxtyping import Float
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import BLOCK, Attention, Block, FeedForward, MakeNorm


@BLOCK.register("pre_norm")
class PreNorm(Block):
    """Normalise what each sublayer reads; leave the residual stream itself alone.

    Source:
        Xiong et al. 2020, "On Layer Normalization in the Transformer", arXiv:2002.04745.
    """

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        attention: Attention,
        ffn: FeedForward,
        make_norm: MakeNorm,
    ) -> None:
        super().__init__(dims, layer_idx, attention, ffn, make_norm)
        self.attention_norm, self.attention = make_norm(dims.d_model), attention
        self.ffn_norm, self.ffn = make_norm(dims.d_model), ffn

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        x = x + context.drop(self.attention(self.attention_norm(x), context))
        return x + context.drop(self.ffn(self.ffn_norm(x), context))
