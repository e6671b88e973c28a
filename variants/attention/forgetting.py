"""Forgetting attention: softmax attention whose heads learn, from the tokens, what to forget."""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from harness.core.attend import attend
from harness.core.cache import Cache, TokenCache
from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.recurrence import document_starts
from harness.core.slots import ATTENTION, Attention, MakeNorm, MakePosition

SHORTEST, LONGEST = 16, 1024  # tokens that heads remember at first


@ATTENTION.register("forgetting")
class ForgettingAttention(Attention):
    """Softmax attention with `sum_{l=j+1..i} log f_l` added to the score of query i and key j.

    `f_t = sigmoid(f_proj(x_t))`, one gate a head. The gates' biases start so that a head forgets
    1/m of the past at each token, m from 1024 (the first head) down to 16 (the last), in equal
    ratios. Positions may be rotated or not: the gates alone tell near from far.

    Options:
        n_kv_heads: Divides `n_heads`. Left out: half of `n_heads`.
        qk_norm: Whether queries and keys are normalised per head, by the norm of the layer.

    Source:
        Lin et al. 2025, "Forgetting Transformer", arXiv:2503.02130, section 3 (the "LLaMA" block:
        no output gate, output norm or shift of keys and values; the paper's has neither QK-norm nor
        rotation, so `qk_norm: false` with `position: none`). The paper starts biases at zero, which
        forgets half at each token.
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
    ) -> None:
        super().__init__(dims, layer_idx, make_position, make_norm)
        n_kv_heads = n_kv_heads or max(dims.n_heads // 2, 1)
        if dims.n_heads % n_kv_heads:
            divide = f"n_heads ({dims.n_heads}) must be a multiple of n_kv_heads ({n_kv_heads})"
            raise ValueError(divide)
        self.layer_idx, self.head_dim = layer_idx, dims.head_dim
        self.n_heads, self.n_kv_heads = dims.n_heads, n_kv_heads
        q_width, kv_width = dims.n_heads * dims.head_dim, n_kv_heads * dims.head_dim
        self.q_proj = nn.Linear(dims.d_model, q_width, bias=False)
        self.k_proj = nn.Linear(dims.d_model, kv_width, bias=False)
        self.v_proj = nn.Linear(dims.d_model, kv_width, bias=False)
        self.o_proj = nn.Linear(q_width, dims.d_model, bias=False)
        self.f_proj = nn.Linear(dims.d_model, dims.n_heads)
        spread = torch.linspace(1, 0, dims.n_heads)
        self.f_proj.bias = nn.Parameter((SHORTEST * (LONGEST / SHORTEST) ** spread - 1).log())
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
        forgotten = at_keys = _forgotten(F.logsigmoid(self.f_proj(x).float()), context)  # B T H
        key_positions = None
        if cache := context.cache(self.layer_idx):
            assert isinstance(cache, TokenCache)
            forgotten = forgotten + _latest(cache)
            entries, key_positions = cache.append(context, k=k, v=v, forgotten=forgotten)
            k, v, at_keys = entries["k"], entries["v"], entries["forgotten"]
        bias = (forgotten[:, :, None] - at_keys[:, None]).movedim(3, 1)  # B H T S
        of_position = self.position.bias(context, key_positions)
        bias = bias if of_position is None else bias + of_position
        mixed = attend(q, k, v, context, key_positions=key_positions, bias=bias)
        return self.o_proj(mixed.flatten(2))

    def new_cache(
        self, batch: int, max_len: int, device: torch.device, dtype: torch.dtype
    ) -> Cache:
        """Keep rotated keys and values, and the sum of log gates: 2 K C + H numbers a token.

        The sums are kept in fp32 at least: at hundreds, bf16 would round away whole gates.
        """
        shape = (batch, max_len, self.n_kv_heads, self.head_dim)
        buffers = {name: torch.zeros(shape, device=device, dtype=dtype) for name in ("k", "v")}
        exact = torch.promote_types(dtype, torch.float32)
        sums = torch.zeros(batch, max_len, self.n_heads, device=device, dtype=exact)
        buffers["forgotten"] = sums
        return TokenCache(buffers, max_len)


def _forgotten(log_gates: Float[Tensor, "B T H"], context: Context) -> Float[Tensor, "B T H"]:
    """Sum the log gates up to each token, afresh in each document."""
    if context.valid is not None:
        log_gates = log_gates * context.valid[..., None]
    starts = document_starts(context)
    if starts is None:
        return log_gates.cumsum(1)
    # In fp64, so that the difference does not round by what stood in other documents.
    total = log_gates.double().cumsum(1)
    places = torch.arange(starts.shape[1], device=starts.device)
    first = torch.where(starts, places, 0).cummax(1).values[..., None].expand_as(total)
    return (total - (total - log_gates).gather(1, first)).to(log_gates.dtype)


def _latest(cache: TokenCache) -> Float[Tensor, "B 1 H"]:
    """Return the sums at the last token of each row.

    A row without tokens may go on from any number: only differences count.
    """
    sums, lengths = cache.buffers["forgotten"], cache.lengths
    rows = torch.arange(len(lengths), device=lengths.device)
    return sums[rows, (lengths - 1).clamp(min=0)][:, None]
