"""Pre-norm residual block: the Qwen3 baseline."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness.core.cache import Cache, CompositeCache, StateCache
from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.short_convolution import ShortConvolution
from harness.core.slots import BLOCK, Attention, Block, FeedForward, MakeNorm

KERNEL = 4


@BLOCK.register("pre_norm")
class PreNorm(Block):
    """Normalise what each sublayer reads; leave the residual stream itself alone.

    Options:
        convolution: Which sublayers read their last four normalised inputs, mixed by a short
            causal convolution in each channel, instead of the last one.

    Source:
        Xiong et al. 2020, "On Layer Normalization in the Transformer", arXiv:2002.04745;
        Allen-Zhu 2025, "Physics of Language Models: Part 4.1", arXiv:2512.17351 (Canon layers A,
        before attention, and C, before the feed-forward, with their residual).
    """

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        attention: Attention,
        ffn: FeedForward,
        make_norm: MakeNorm,
        *,
        convolution: Literal["none", "attention", "ffn", "both"] = "none",
    ) -> None:
        super().__init__(dims, layer_idx, attention, ffn, make_norm)
        self.layer_idx, self.d_model = layer_idx, dims.d_model
        self.attention_norm, self.attention = make_norm(dims.d_model), attention
        self.ffn_norm, self.ffn = make_norm(dims.d_model), ffn
        self.convolutions = nn.ModuleDict()
        for side in ("attention", "ffn"):
            if convolution in (side, "both"):
                self.convolutions[side] = ShortConvolution(dims.d_model, KERNEL)

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        y = self._convolved("attention", self.attention_norm(x), context)
        x = x + context.drop(self.attention(y, context))
        y = self._convolved("ffn", self.ffn_norm(x), context)
        return x + context.drop(self.ffn(y, context))

    def new_cache(
        self, batch: int, max_len: int, device: torch.device, dtype: torch.dtype
    ) -> Cache:
        """Return the attention's cache, beside the last inputs of each convolution."""
        cache = super().new_cache(batch, max_len, device, dtype)
        if not self.convolutions:
            return cache
        parts: dict[str, Cache] = {"attention": cache}
        for side in self.convolutions:
            inputs = torch.zeros(batch, KERNEL - 1, self.d_model, device=device, dtype=dtype)
            parts[_part(side)] = StateCache({"inputs": inputs}, max_len)
        return CompositeCache(parts)

    def _convolved(self, side: str, x: Tensor, context: Context) -> Tensor:
        if side not in self.convolutions:
            return x
        cache = context.cache(self.layer_idx, _part(side))
        state = None if cache is None else cache.buffers["inputs"]
        y, state = self.convolutions[side](x, context, state)
        if state is not None:
            assert isinstance(cache, StateCache)
            cache.update(context, x.shape[1], inputs=state)
        return y


def _part(side: str) -> str:
    return f"{side}_convolution"
