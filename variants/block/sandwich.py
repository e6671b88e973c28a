"""Sandwich-norm residual block: a norm on both sides of each sublayer."""

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import BLOCK, Attention, Block, FeedForward, MakeNorm


@BLOCK.register("sandwich")
class SandwichNorm(Block):
    """Normalise what each sublayer reads and what it adds to the residual stream.

    It wants `init: {outputs: normal}`. A norm undoes `depth_scaled`; of outputs that start at
    `zero` it makes, with its slope of 1/sqrt(eps), full-sized ones in a single step.

    Source:
        Ding et al. 2021, "CogView", arXiv:2105.13290, section 2.4 (Sandwich LayerNorm); Gemma
        Team 2024, "Gemma 2", arXiv:2408.00118, section 2.
    """

    writers: ClassVar[Mapping[str, str]] = {
        "attention": "attention_output_norm",
        "ffn": "ffn_output_norm",
    }

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
        self.attention_output_norm = make_norm(dims.d_model)
        self.ffn_norm, self.ffn = make_norm(dims.d_model), ffn
        self.ffn_output_norm = make_norm(dims.d_model)

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        added = self.attention(self.attention_norm(x), context)
        x = x + context.drop(self.attention_output_norm(added))
        added = self.ffn(self.ffn_norm(x), context)
        return x + context.drop(self.ffn_output_norm(added))
