"""Differential attention: the difference of two softmax maps, in which common noise cancels."""

import math
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


@ATTENTION.register("differential")
class DifferentialAttention(Attention):
    """`norm((softmax(q1 k1') - lambda softmax(q2 k2')) v) (1 - lambda_init)` in every head.

    Heads 2i and 2i + 1 are the two maps of a pair; its values are the two heads' together,
    `2 head_dim` wide. `n_heads` and `n_kv_heads` therefore count maps, both are even, and
    projections and cache have the sizes of `gqa`. `lambda = exp(a.b) - exp(c.d) + lambda_init` is
    learned for each layer; `lambda_init = 0.8 - 0.6 exp(-0.3 layer_idx)`.

    Options:
        n_kv_heads: Even, divides `n_heads`. Left out: half of `n_heads` if that is even, else all.
        qk_norm: Whether queries and keys are normalised per head, by the norm of the layer.

    Source:
        Ye et al. 2024, "Differential Transformer", arXiv:2410.05258, section 2.1, with layers
        counted from 0. The paper has no QK-norm, and normalises heads by RMSNorm, not by the norm
        of the layer. It draws a, b, c and d from N(0, 0.1); here all start 0.1 large, b and d with
        alternating signs: lambda starts at `lambda_init`, and a gradient reaches them.
    """

    output_projections = ("o_proj.weight",)

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        make_position: MakePosition,
        make_norm: MakeNorm,
        *,
        n_kv_heads: Annotated[int, Field(ge=2)] | None = None,
        qk_norm: bool = True,
    ) -> None:
        super().__init__(dims, layer_idx, make_position, make_norm)
        n_kv_heads = n_kv_heads or _n_kv_heads(dims)
        if dims.n_heads % 2 or n_kv_heads % 2:
            even = "heads come in pairs, so n_heads and n_kv_heads must be even"
            raise ValueError(f"{even}, but are {dims.n_heads} and {n_kv_heads}")
        if dims.n_heads % n_kv_heads:
            divide = f"n_heads ({dims.n_heads}) must be a multiple of n_kv_heads ({n_kv_heads})"
            raise ValueError(divide)
        self.layer_idx, self.head_dim, self.n_kv_heads = layer_idx, dims.head_dim, n_kv_heads
        q_width, kv_width = dims.n_heads * dims.head_dim, n_kv_heads * dims.head_dim
        self.q_proj = nn.Linear(dims.d_model, q_width, bias=False)
        self.k_proj = nn.Linear(dims.d_model, kv_width, bias=False)
        self.v_proj = nn.Linear(dims.d_model, kv_width, bias=False)
        self.o_proj = nn.Linear(q_width, dims.d_model, bias=False)
        self.q_norm = make_norm(dims.head_dim) if qk_norm else nn.Identity()
        self.k_norm = make_norm(dims.head_dim) if qk_norm else nn.Identity()
        self.pair_norm = make_norm(2 * dims.head_dim)
        self.lambda_init = 0.8 - 0.6 * math.exp(-0.3 * layer_idx)
        one_sign = torch.full((dims.head_dim,), 0.1)
        alternating = one_sign * (-1.0) ** torch.arange(dims.head_dim)
        self.lambda_q1, self.lambda_k1 = nn.Parameter(one_sign), nn.Parameter(alternating)
        self.lambda_q2 = nn.Parameter(one_sign.clone())
        self.lambda_k2 = nn.Parameter(alternating.clone())
        self.position = make_position(dims.head_dim)

    @classmethod
    def complete(cls, options: Mapping[str, Any], dims: Dims) -> dict[str, Any]:
        """Write out the default number of key-value heads, so that equal models are equal specs."""
        return {**options, "n_kv_heads": options["n_kv_heads"] or _n_kv_heads(dims)}

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
        bias = self.position.bias(context, key_positions)
        pairs = v.unflatten(2, (-1, 2)).flatten(3)  # B S K/2 2C
        signal, noise = (
            attend(
                q[:, :, which::2],
                k[:, :, which::2],
                pairs,
                context,
                key_positions=key_positions,
                bias=bias if bias is None or bias.shape[1] == 1 else bias[:, which::2],
            )
            for which in (0, 1)
        )
        mixed = self.pair_norm(signal - self._lambda() * noise)  # B T H/2 2C
        return self.o_proj((mixed * (1 - self.lambda_init)).flatten(2))

    def _lambda(self) -> Float[Tensor, ""]:
        first = (self.lambda_q1 * self.lambda_k1).sum(dtype=torch.float32).exp()
        second = (self.lambda_q2 * self.lambda_k2).sum(dtype=torch.float32).exp()
        return first - second + self.lambda_init

    def new_cache(
        self, batch: int, max_len: int, device: torch.device, dtype: torch.dtype
    ) -> Cache:
        """Keep rotated keys and values: 2 K C numbers a token."""
        shape = (batch, max_len, self.n_kv_heads, self.head_dim)
        buffers = {name: torch.zeros(shape, device=device, dtype=dtype) for name in ("k", "v")}
        return TokenCache(buffers, max_len)


def _n_kv_heads(dims: Dims) -> int:
    half = dims.n_heads // 2
    return half if half % 2 == 0 else dims.n_heads
