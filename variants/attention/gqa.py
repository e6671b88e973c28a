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
from variants.attention._across_layers import KeysAndValues, mix_first_values, share, shared


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
            layer that has some, by two learned weights, 0.5 each at first.

    Source:
        Ainslie et al. 2023, "GQA", arXiv:2305.13245; Shazeer 2019, arXiv:1911.02150 (multi-query);
        Vaswani et al. 2017, arXiv:1706.03762 (multi-head). QK-norm: Qwen3, arXiv:2505.09388, and
        OLMo 2, arXiv:2501.00656. Window: Beltagy et al. 2020, arXiv:2004.05150. Soft cap: Gemma 2,
        arXiv:2408.00118. Sinks: Xiao et al. 2023, arXiv:2309.17453, as a learned score as in
        gpt-oss, arXiv:2508.10925. Gate: Qiu et al. 2025, arXiv:2505.06708. Shared keys and values:
        Brandon et al. 2024, arXiv:2405.12981. Value residual: Zhou et al. 2024, arXiv:2410.17897.
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
        qk_norm: Annotated[Literal["none", "head", "full"], BeforeValidator(_read_qk_norm)] = "head",
        bias: bool = False,
        window: Annotated[int | None, Field(ge=1, examples=[4])] = None,
        softcap: Annotated[float | None, Field(gt=0, examples=[2.0])] = None,
        sinks: bool = False,
        gate: bool = False,
        shared_kv: Annotated[int, Field(ge=1, examples=[2])] = 1,
        value_residual: bool = False,
    ) -> None:
        super().__init__(dims, layer_idx, make_position, make_norm)
        n_kv_heads = n_kv_heads or max(dims.n_heads // 2, 1)
        if dims.n_heads % n_kv_heads:
            divide = f"n_heads ({dims.n_heads}) must be a multiple of n_kv_heads ({n_kv_heads})"
            raise ValueError(divide)
        self.layer_idx, self.head_dim, self.n_kv_heads = layer_idx, dims.head_dim, n_kv_heads
        self.qk_norm, self.window, self.softcap = qk_norm, window, softcap
        # layers beyond the model's belong to an objective, and are on their own
        within = layer_idx < dims.n_layers
        self.owner = layer_idx - layer_idx % shared_kv if within else layer_idx
        self.kind = f"gqa with shared_kv {shared_kv}, n_kv_heads {n_kv_heads}, window {window}"
        self.shares, self.value_residual = shared_kv > 1, value_residual and within
        linear, norm = partial(nn.Linear, bias=bias), self._norms(make_norm)
        kv_width, q_width = n_kv_heads * dims.head_dim, dims.n_heads * dims.head_dim
        self.q_proj = linear(dims.d_model, q_width)
        if self.owner == layer_idx:
            self.k_proj = linear(dims.d_model, kv_width)
            self.v_proj = linear(dims.d_model, kv_width)
        self.o_proj = linear(q_width, dims.d_model)
        self.gate_proj = linear(dims.d_model, q_width) if gate else None
