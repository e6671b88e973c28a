"""Grouped-query attention: the Qwen3 baseline, with multi-head and multi-query as its ends."""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from harness.core.attend import attend
from harness.core.cache import Cache, TokenCache
from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import ATTENTION, Attention, MakeNorm, MakePosition


@ATTENTION.register(
    "gqa",
    aliases={
        "mha": lambda dims: {"n_kv_heads": dims.n_heads},
        "mqa": lambda dims: {"n_kv_heads": 1},
    },
)
class GroupedQueryAttention(Attention):
    """Softmax attention in which `n_heads / n_kv_heads` query heads share a key-value head.

    Queries and keys are normalised per head, over `head_dim`, before they are rotated.

    Options:
        n_kv_heads: Divides `n_heads`. Equal to it: multi-head; 1: multi-query. Left out: half of
            `n_heads`, as in Qwen3-0.6B.
        qk_norm: Whether queries and keys are normalised, by the norm of the layer.
        bias: Whether the four projections have biases.

    Source:
        Ainslie et al. 2023, "GQA", arXiv:2305.13245; Shazeer 2019, arXiv:1911.02150 (multi-query);
        Vaswani et al. 2017, arXiv:1706.03762 (multi-head); per-head QK-norm as in Qwen3,
        arXiv:2505.09388.
    """

    output_projections = ("o_proj.weight",)

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        make_position: MakePosition,
        make_norm: MakeNorm,
        *,
        n_kv_heads: Annotated[int, Field(ge=1)] | None = None,
        qk_norm: bool = True,
        bias: bool = False,
    ) -> None:
        super().__init__(dims, layer_idx, make_position, make_norm)
        n_kv_heads = n_kv_heads or max(dims.n_heads // 2, 1)
        if dims.n_heads % n_kv_heads:
            divide = f"n_heads ({dims.n_heads}) must be a multiple of n_kv_heads ({n_kv_heads})"
            raise ValueError(divide)
        self.layer_idx, self.head_dim, self.n_kv_heads = layer_idx, dims.head_dim, n_kv_heads
        kv_width = n_kv_heads * dims.head_dim
        q_width = dims.n_heads * dims.head_dim
        self.q_proj = nn.Linear(dims.d_model, q_width, bias=bias)
        self.k_proj = nn.Linear(dims.d_model, kv_width, bias=bias)
        self.v_proj = nn.Linear(dims.d_model, kv_width, bias=bias)
        self.o_proj = nn.Linear(q_width, dims.d_model, bias=bias)
        if bias:  # torch would draw them from its global generator
            for projection in (self.q_proj, self.k_proj, self.v_proj, self.o_proj):
                nn.init.zeros_(projection.bias)
        self.q_norm = make_norm(dims.head_dim) if qk_norm else nn.Identity()
        self.k_norm = make_norm(dims.head_dim) if qk_norm else nn.Identity()
        self.position = make_position(dims.head_dim)

    @classmethod
    def complete(cls, options: Mapping[str, Any], dims: Dims) -> dict[str, Any]:
        """Write out the default number of key-value heads, so that equal models are equal specs."""
        return {**options, "n_kv_heads": options["n_kv_heads"] or max(dims.n_heads // 2, 1)}

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        heads = (*x.shape[:2], -1, self.head_dim)
        q = self.q_norm(self.q_proj(x).view(heads))  # B T H C
        k = self.k_norm(self.k_proj(x).view(heads))  # B T K C
        v = self.v_proj(x).view(heads)
        q, k = self.position.rotate(q, k, context)
        key_positions = None
        if cache := context.cache(self.layer_idx):
            assert isinstance(cache, TokenCache)
            entries, key_positions = cache.append(context, k=k, v=v)
            k, v = entries["k"], entries["v"]
        bias = self.position.bias(
            context, context.positions if key_positions is None else key_positions
        )
        mixed = attend(q, k, v, context, key_positions=key_positions, bias=bias)
        return self.o_proj(mixed.flatten(2))

    def new_cache(
        self, batch: int, max_len: int, device: torch.device, dtype: torch.dtype
    ) -> Cache:
        """Keep rotated keys and values: 2 K C numbers a token."""
        shape = (batch, max_len, self.n_kv_heads, self.head_dim)
        buffers = {name: torch.zeros(shape, device=device, dtype=dtype) for name in ("k", "v")}
        return TokenCache(buffers, max_len)
