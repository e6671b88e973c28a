"""Grouped-query attention: the Qwen3 baseline, with multi-head and multi-query as its ends."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import BeforeValidator, Field
from torch import Tensor, nn

from harness.core.attend import attend
from harness.core.cache import Cache, StateCache, TokenCache
from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.registry import Default
from harness.core.slots import ATTENTION, Attention, MakeNorm, MakePosition
from harness.core.window_cache import WindowCache
from variants.attention._across_layers import KeysAndValues, Sharing, mix_first_values, settings


def _read_qk_norm(value: object) -> object:
    """Accept what configurations said before there was a third choice."""
    return {True: "head", False: "none"}[value] if isinstance(value, bool) else value


@ATTENTION.register(
    "gqa",
    aliases={
        "mha": lambda dims: {"n_kv_heads": dims.n_heads},
        "mqa": lambda dims: {"n_kv_heads": 1},
        "sliding_window": lambda dims: {"window": Default(max(dims.max_seq_len // 4, 1))},
    },
)
class GroupedQueryAttention(Attention):
    """Softmax attention in which `n_heads / n_kv_heads` query heads share a key-value head.

    Queries and keys are normalised per head, over `head_dim`, before they are rotated.

    Options:
        n_kv_heads: Divides `n_heads`. Equal to it: multi-head; 1: multi-query. Left out: half of
            `n_heads`, as in Qwen3-0.6B.
        qk_norm: What the layer's norm makes of queries and keys: `head` norms each head, `full`
            the whole projection (OLMo 2), `none` nothing. `true` is read as head, `false` as none.
        bias: Whether all projections have biases.
        window: A token sees this many of the latest tokens, itself included; at least 1. Left out:
            all. The cache keeps no more than it.
        softcap: Scores pass through `softcap * tanh(scores / softcap)`; above 0. Left out: they
            stay as they are.
        sinks: Whether each head has a learned score, 0 at first, that takes its share of the
            softmax and brings no value: a head may attend to nothing.
        gate: Whether what is mixed is multiplied by `sigmoid(gate_proj(x))` before `o_proj`.
        shared_kv: So many layers in a row share the keys and values of the first of them, and have
            none of their own; at least 1.
        value_residual: Whether layers after the first mix their values with those of the first
            layer that has this option, by two learned weights, 0.5 each at first.
        mup_head_dim: Scores are scaled by `sqrt(mup_head_dim) / head_dim`, as muP has it where
            heads grow wider; at least 1. Left out: by `1 / sqrt(head_dim)`.

    Source:
        Ainslie et al. 2023, "GQA", arXiv:2305.13245; Shazeer 2019, arXiv:1911.02150 (multi-query);
        Vaswani et al. 2017, arXiv:1706.03762 (multi-head). QK-norm: Qwen3, arXiv:2505.09388, and
        OLMo 2, arXiv:2501.00656. Window: Beltagy et al. 2020, arXiv:2004.05150. Soft cap: Gemma 2,
        arXiv:2408.00118. Sinks: Xiao et al. 2023, arXiv:2309.17453, as a learned score as in
        gpt-oss, arXiv:2508.10925. Gate: Qiu et al. 2025, arXiv:2505.06708. Shared keys and values:
        Brandon et al. 2024, arXiv:2405.12981. Value residual: Zhou et al. 2024, arXiv:2410.17897.
        muP: Yang et al. 2022, arXiv:2203.03466, definition 4.1.
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
        qk_norm: Annotated[
            Literal["none", "head", "full"], BeforeValidator(_read_qk_norm)
        ] = "head",
        bias: bool = False,
        window: Annotated[int | None, Field(ge=1, examples=[4])] = None,
        softcap: Annotated[float | None, Field(gt=0, allow_inf_nan=False, examples=[2.0])] = None,
        sinks: bool = False,
        gate: bool = False,
        shared_kv: Annotated[int, Field(ge=1, examples=[2])] = 1,
        value_residual: bool = False,
        mup_head_dim: Annotated[int | None, Field(ge=1, examples=[2])] = None,
    ) -> None:
        super().__init__(dims, layer_idx, make_position, make_norm)
        n_kv_heads = n_kv_heads or max(dims.n_heads // 2, 1)
        if dims.n_heads % n_kv_heads:
            divide = f"n_heads ({dims.n_heads}) must be a multiple of n_kv_heads ({n_kv_heads})"
            raise ValueError(divide)
        self.layer_idx, self.head_dim, self.n_kv_heads = layer_idx, dims.head_dim, n_kv_heads
        self.norms_all, self.window, self.softcap = qk_norm == "full", window, softcap
        in_model = layer_idx < dims.n_layers  # the others are an objective's, each on its own
        owner = layer_idx - layer_idx % shared_kv if in_model else layer_idx
        self.position = make_position(dims.head_dim)
        sizes = f"gqa with shared_kv {shared_kv}, n_kv_heads {n_kv_heads} and window {window}"
        kind = f"{sizes}, turned by {settings(self.position)}"
        # 1 / head_dim, and at `mup_head_dim` what it is without
        self.scale = mup_head_dim and mup_head_dim**0.5 / dims.head_dim
        self.sharing, self.shares = Sharing(layer_idx, owner, kind), shared_kv > 1
        self.value_residual = value_residual and in_model
        q_width, kv_width = dims.n_heads * dims.head_dim, n_kv_heads * dims.head_dim
        norm_widths = {"head": (dims.head_dim,) * 2, "full": (q_width, kv_width)}.get(qk_norm)
        self.q_proj = nn.Linear(dims.d_model, q_width, bias=bias)
        if self.sharing.owns:
            self.k_proj = nn.Linear(dims.d_model, kv_width, bias=bias)
            self.v_proj = nn.Linear(dims.d_model, kv_width, bias=bias)
        self.o_proj = nn.Linear(q_width, dims.d_model, bias=bias)
        self.gate_proj = nn.Linear(dims.d_model, q_width, bias=bias) if gate else None
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)  # torch drew it from its global generator
        self.q_norm = make_norm(norm_widths[0]) if norm_widths else nn.Identity()
        if self.sharing.owns:
            self.k_norm = make_norm(norm_widths[1]) if norm_widths else nn.Identity()
        self.sinks = nn.Parameter(torch.zeros(dims.n_heads)) if sinks else None
        mixes_values = self.value_residual and self.sharing.owns and layer_idx > 0
        self.value_weights = nn.Parameter(torch.full((2,), 0.5)) if mixes_values else None

    @classmethod
    def complete(cls, options: Mapping[str, Any], dims: Dims) -> dict[str, Any]:
        """Write out the default number of key-value heads, so that equal models are equal specs."""
        return {**options, "n_kv_heads": options["n_kv_heads"] or max(dims.n_heads // 2, 1)}

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        q = self._heads(self.q_proj(x), self.q_norm)  # B T H C
        if self.sharing.owns:
            k = self._heads(self.k_proj(x), self.k_norm)  # B T K C
            v = self._heads(self.v_proj(x))
            if self.value_residual:
                v = mix_first_values(context, self.layer_idx, v, self.value_weights)
            q, k = self.position.rotate(q, k, context)
            read = self._remember(k, v, context)
        else:
            q, _ = self.position.rotate(q, q[:, :, :0], context)  # its keys have been turned
            read = self._borrow(x.shape[1], context)
        bias = self.position.bias(context, read.positions)
        mixed = attend(
            q,
            read.k,
            read.v,
            context,
            key_positions=read.positions,
            bias=bias,
            window=self.window,
            scale=self.scale,
            softcap=self.softcap,
            sinks=self.sinks,
        ).flatten(2)
        if self.gate_proj is not None:
            mixed = mixed * torch.sigmoid(self.gate_proj(x))
        return self.o_proj(mixed)

    def _heads(
        self, projected: Float[Tensor, "B T W"], norm: nn.Module | None = None
    ) -> Float[Tensor, "B T N C"]:
        heads = (*projected.shape[:2], -1, self.head_dim)
        if norm is None:
            return projected.view(heads)
        return norm(projected).view(heads) if self.norms_all else norm(projected.view(heads))

    def _remember(self, k: Tensor, v: Tensor, context: Context) -> KeysAndValues:
        read = KeysAndValues(k, v, None)
        if cache := context.cache(self.layer_idx):
            assert isinstance(cache, TokenCache | WindowCache)
            entries, positions = cache.append(context, k=k, v=v)
            read = KeysAndValues(entries["k"], entries["v"], positions)
        if self.shares:
            self.sharing.leave(context, read)
        return read

    def _borrow(self, n_tokens: int, context: Context) -> KeysAndValues:
        if cache := context.cache(self.layer_idx):
            assert isinstance(cache, StateCache)
            cache.update(context, n_tokens)
        return self.sharing.take(context)

    def new_cache(
        self, batch: int, max_len: int, device: torch.device, dtype: torch.dtype
    ) -> Cache:
        """Keep rotated keys and values, 2 K C numbers a token, of the window if there is one."""
        if not self.sharing.owns:
            nothing = torch.zeros(batch, 0, device=device, dtype=dtype)
            return StateCache({"nothing": nothing}, max_len)
        kept = max_len if self.window is None else min(self.window, max_len)
        shape = (batch, kept, self.n_kv_heads, self.head_dim)
        buffers = {name: torch.zeros(shape, device=device, dtype=dtype) for name in ("k", "v")}
        return (TokenCache if kept == max_len else WindowCache)(buffers, max_len)
