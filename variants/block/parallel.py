"""Parallel residual block: attention and feed-forward read the same stream."""

from jaxtyping import Float
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import BLOCK, Attention, Block, FeedForward, MakeNorm


@BLOCK.register("parallel")
class ParallelBlock(Block):
    """`x + attention(norm(x)) + ffn(norm(x))`: both sublayers can be computed at once.

    Options:
        shared_norm: Whether both read through one norm, as in GPT-J and PaLM, or each through its
            own, as in GPT-NeoX.

    Source:
        Wang and Komatsuzaki 2021, "GPT-J-6B"; Chowdhery et al. 2022, "PaLM", arXiv:2204.02311,
        section 2; two norms in Black et al. 2022, "GPT-NeoX-20B", arXiv:2204.06745.
    """

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        attention: Attention,
        ffn: FeedForward,
        make_norm: MakeNorm,
        *,
        shared_norm: bool = True,
    ) -> None:
        super().__init__(dims, layer_idx, attention, ffn, make_norm)
        self.attention_norm, self.attention = make_norm(dims.d_model), attention
        self.ffn_norm, self.ffn = None if shared_norm else make_norm(dims.d_model), ffn

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        y = self.attention_norm(x)
        z = y if self.ffn_norm is None else self.ffn_norm(x)
        return x + context.drop(self.attention(y, context)) + context.drop(self.ffn(z, context))
