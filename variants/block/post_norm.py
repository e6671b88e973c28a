"""Post-norm residual block: the order of the first transformer."""

from jaxtyping import Float
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import BLOCK, Attention, Block, FeedForward, MakeNorm


@BLOCK.register("post_norm")
class PostNorm(Block):
    """Normalise the residual stream after each addition; the model then needs no final norm.

    Source:
        Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762, section 3.1.
    """

    final_norm = False

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        attention: Attention,
        ffn: FeedForward,
        make_norm: MakeNorm,
    ) -> None:
        super().__init__(dims, layer_idx, attention, ffn, make_norm)
        self.attention, self.attention_norm = attention, make_norm(dims.d_model)
        self.ffn, self.ffn_norm = ffn, make_norm(dims.d_model)

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        x = self.attention_norm(x + context.drop(self.attention(x, context)))
        return self.ffn_norm(x + context.drop(self.ffn(x, context)))
