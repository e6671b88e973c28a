"""Multi-head latent attention: keys and values of all heads come from one small latent a token."""

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


@ATTENTION.register("mla")
class MultiHeadLatentAttention(Attention):
    """Softmax attention over keys and values expanded from a normalised latent of each token.

    A query and a key have `head_dim` channels without position and `rope_dim` rotated ones; the
    rotated key is shared by all heads. Values have `head_dim` channels. The cache holds the latent
    and the rotated key. Where few queries meet many keys, the expansion is moved from the keys to
    the queries and from the values to the outputs: the same numbers for fewer FLOPs.

    Options:
        kv_latent: Width of the latent. Left out: `4 * head_dim`, as in DeepSeek-V2, but at most
            `d_model / 2`.
        q_latent: Width of the queries' own latent, which saves parameters; null: no latent.
        rope_dim: Rotated channels a head. Left out: `head_dim / 2`, as in DeepSeek-V2, made even.

    Source:
        DeepSeek-AI 2024, "DeepSeek-V2", arXiv:2405.04434, section 2.1. The norms are the layer's,
        on the latents alone; V2's scaling of them and YaRN are left out.
    """

    output_projections = ("o_proj.weight",)

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        make_position: MakePosition,
        make_norm: MakeNorm,
        *,
        kv_latent: Annotated[int, Field(ge=1)] | None = None,
        q_latent: Annotated[int, Field(ge=1)] | None = None,
        rope_dim: Annotated[int, Field(ge=1)] | None = None,
    ) -> None:
        super().__init__(dims, layer_idx, make_position, make_norm)
        self.layer_idx, self.n_heads, self.head_dim = layer_idx, dims.n_heads, dims.head_dim
        self.kv_latent = kv_latent or _kv_latent(dims)
        self.rope_dim = rope_dim or _rope_dim(dims)
        q_width = dims.n_heads * (dims.head_dim + self.rope_dim)
        self.q_latent = q_latent
        if q_latent is None:
            self.q_proj = nn.Linear(dims.d_model, q_width, bias=False)
        else:
            self.q_a_proj = nn.Linear(dims.d_model, q_latent, bias=False)
            self.q_a_norm = make_norm(q_latent)
            self.q_b_proj = nn.Linear(q_latent, q_width, bias=False)
        self.kv_a_proj = nn.Linear(dims.d_model, self.kv_latent + self.rope_dim, bias=False)
        self.kv_a_norm = make_norm(self.kv_latent)
        kv_width = dims.n_heads * 2 * dims.head_dim
        self.kv_b_proj = nn.Linear(self.kv_latent, kv_width, bias=False)
        self.o_proj = nn.Linear(dims.n_heads * dims.head_dim, dims.d_model, bias=False)
        self.position = make_position(self.rope_dim)

    @classmethod
    def complete(cls, options: Mapping[str, Any], dims: Dims) -> dict[str, Any]:
        """Write out the default widths, so that equal models are equal specs."""
        kv_latent = options["kv_latent"] or _kv_latent(dims)
        return {
            **options,
            "kv_latent": kv_latent,
            "rope_dim": options["rope_dim"] or _rope_dim(dims),
        }

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        heads = self._queries(x).unflatten(-1, (self.n_heads, -1))  # B T H C+R
        q, q_rope = heads.split([self.head_dim, self.rope_dim], dim=-1)
        latent, k_rope = self.kv_a_proj(x).split([self.kv_latent, self.rope_dim], dim=-1)
        latent = self.kv_a_norm(latent)  # B T L
        q_rope, k_rope = self.position.rotate(q_rope, k_rope[:, :, None], context)
        key_positions = None
        if cache := context.cache(self.layer_idx):
            assert isinstance(cache, TokenCache)
            entries, key_positions = cache.append(context, latent=latent, k_rope=k_rope[:, :, 0])
            latent, k_rope = entries["latent"], entries["k_rope"][:, :, None]
        bias = self.position.bias(context, key_positions)
        mix = self._absorbed if self._absorbing_is_cheaper(x, latent) else self._expanded
        mixed = mix(q, q_rope, latent, k_rope, context, key_positions=key_positions, bias=bias)
        return self.o_proj(mixed.flatten(2))

    def _queries(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T W"]:
        if self.q_latent is None:
            return self.q_proj(x)
        return self.q_b_proj(self.q_a_norm(self.q_a_proj(x)))

    def _absorbing_is_cheaper(self, x: Tensor, latent: Tensor) -> bool:
        # A head's 4 L C FLOPs of expansion are spent on T queries instead of S keys, but a score
        # and its mix then cost 4 (L - C) more.
        n_queries, n_keys, wide, narrow = x.shape[1], latent.shape[1], self.kv_latent, self.head_dim
        return n_queries * n_keys * (wide - narrow) < wide * narrow * (n_keys - n_queries)

    def _expanded(
        self,
        q: Float[Tensor, "B T H C"],
        q_rope: Float[Tensor, "B T H R"],
        latent: Float[Tensor, "B S L"],
        k_rope: Float[Tensor, "B S 1 R"],
        context: Context,
        **about_keys: Tensor | None,
    ) -> Float[Tensor, "B T H C"]:
        heads = self.kv_b_proj(latent).unflatten(-1, (self.n_heads, -1))
        k, v = heads.chunk(2, dim=-1)  # B S H C
        q = torch.cat((q, q_rope), dim=-1)
        k = torch.cat((k, k_rope.expand(-1, -1, self.n_heads, -1)), dim=-1)
        return attend(q, k, v, context, **about_keys)  # type: ignore[arg-type]

    def _absorbed(
        self,
        q: Float[Tensor, "B T H C"],
        q_rope: Float[Tensor, "B T H R"],
        latent: Float[Tensor, "B S L"],
        k_rope: Float[Tensor, "B S 1 R"],
        context: Context,
        **about_keys: Tensor | None,
    ) -> Float[Tensor, "B T H C"]:
        to_k, to_v = self.kv_b_proj.weight.unflatten(0, (self.n_heads, -1)).chunk(2, dim=1)  # H C L
        q = torch.cat((torch.einsum("bthc,hcl->bthl", q, to_k), q_rope), dim=-1)
        k = torch.cat((latent[:, :, None], k_rope), dim=-1)  # B S 1 L+R
        scale = (self.head_dim + self.rope_dim) ** -0.5
        mixed = attend(q, k, latent[:, :, None], context, scale=scale, **about_keys)  # type: ignore[arg-type]
        return torch.einsum("bthl,hcl->bthc", mixed, to_v)

    def new_cache(
        self, batch: int, max_len: int, device: torch.device, dtype: torch.dtype
    ) -> Cache:
        """Keep the latent and the rotated key: L + R numbers a token, for all heads together."""
        widths = {"latent": self.kv_latent, "k_rope": self.rope_dim}
        buffers = {
            name: torch.zeros(batch, max_len, width, device=device, dtype=dtype)
            for name, width in widths.items()
        }
        return TokenCache(buffers, max_len)


def _kv_latent(dims: Dims) -> int:
    return max(min(4 * dims.head_dim, dims.d_model // 2), 1)


def _rope_dim(dims: Dims) -> int:
    return max(dims.head_dim // 4, 1) * 2
