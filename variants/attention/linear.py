"""Linear attention: a kernel of features in place of the exponential, so that sums can be kept."""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from harness.core.cache import Cache, StateCache
from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.recurrence import (
    document_starts,
    fading,
    from_chunks,
    full_precision,
    in_chunks,
)
from harness.core.slots import ATTENTION, Attention, MakeNorm, MakePosition

FEATURES: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": lambda x: F.elu(x) + 1,
    "relu": lambda x: F.relu(x) + 1e-3,
}
EPS = 1e-6  # of the sum of weights, which a saturated `elu` can bring to zero


@ATTENTION.register("linear")
class LinearAttention(Attention):
    """`sum_j (f(q_i).f(k_j)) v_j / sum_j f(q_i).f(k_j)` over tokens j <= i, per head.

    The two sums over the past are the state: it does not grow. Tokens are summed in chunks, each
    by its square. Rotary positions turn features in the numerator only, so that the denominator
    stays positive; weights may then be negative and do not sum to one. Sums are in fp32.

    Options:
        feature_map: `elu`: elu(x) + 1; `relu`: relu(x) + 0.001, as in the Performer.
        chunk: Tokens in a chunk; changes the speed, not the function.

    Source:
        Katharopoulos et al. 2020, "Transformers are RNNs", arXiv:2006.16236, section 3; positions
        as in Su et al. 2021, arXiv:2104.09864, equation 19; `relu` from Choromanski et al. 2020,
        arXiv:2009.14794.
    """

    excludes = frozenset({"attention_bias"})
    output_projections = ("o_proj.weight",)

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        make_position: MakePosition,
        make_norm: MakeNorm,
        *,
        feature_map: Literal["elu", "relu"] = "elu",
        chunk: Annotated[int, Field(ge=1)] = 64,
    ) -> None:
        super().__init__(dims, layer_idx, make_position, make_norm)
        self.layer_idx, self.n_heads, self.head_dim = layer_idx, dims.n_heads, dims.head_dim
        self.feature_map, self.chunk = feature_map, chunk
        width = dims.n_heads * dims.head_dim
        self.q_proj = nn.Linear(dims.d_model, width, bias=False)
        self.k_proj = nn.Linear(dims.d_model, width, bias=False)
        self.v_proj = nn.Linear(dims.d_model, width, bias=False)
        self.o_proj = nn.Linear(width, dims.d_model, bias=False)
        self.position = make_position(dims.head_dim)

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        dtype = torch.promote_types(x.dtype, torch.float32)
        projections = (self.q_proj(x), self.k_proj(x), self.v_proj(x))
        q, k, v = (p.to(dtype).unflatten(-1, (self.n_heads, -1)) for p in projections)  # B T H C
        features = FEATURES[self.feature_map]
        with full_precision(x.device):
            mixed = self._mix(features(q), features(k), v, context)
        return self.o_proj(mixed.flatten(2).to(x.dtype))

    def _mix(
        self,
        q: Float[Tensor, "B T H C"],
        k: Float[Tensor, "B T H C"],
        v: Float[Tensor, "B T H C"],
        context: Context,
    ) -> Float[Tensor, "B T H C"]:
        if context.valid is not None:
            k, v = (t * context.valid[..., None, None] for t in (k, v))
        turned_q, turned_k = self.position.rotate(q, k, context)
        ones = torch.ones_like(v[..., :1])
        starts = document_starts(context)
        cache = context.cache(self.layer_idx)
        before = self._nothing(v) if cache is None else cache.buffers
        mixed, values = past_sums(turned_q, turned_k, v, starts, before["values"], self.chunk)
        weights, keys = past_sums(q, k, ones, starts, before["keys"], self.chunk)
        if cache is not None:
            assert isinstance(cache, StateCache)
            cache.update(context, v.shape[1], values=values, keys=keys)
        return mixed / (weights + EPS)

    def _nothing(self, like: Float[Tensor, "B T H C"]) -> dict[str, Tensor]:
        sizes = (like.shape[0], self.n_heads, self.head_dim)
        widths = {"values": self.head_dim, "keys": 1}
        return {name: like.new_zeros(*sizes, width) for name, width in widths.items()}

    def new_cache(
        self, batch: int, max_len: int, device: torch.device, dtype: torch.dtype
    ) -> Cache:
        """Keep the sums of `f(k) v'` and `f(k)`: C (C + 1) numbers a head, in fp32 at least."""
        exact = torch.promote_types(dtype, torch.float32)
        like = torch.empty(batch, 0, self.n_heads, self.head_dim, device=device, dtype=exact)
        return StateCache(self._nothing(like), max_len)


def past_sums(
    q: Float[Tensor, "B T H C"],
    k: Float[Tensor, "B T H C"],
    v: Float[Tensor, "B T H W"],
    starts: Bool[Tensor, "B T"] | None,
    state: Float[Tensor, "B H C W"],
    chunk: int,
) -> tuple[Float[Tensor, "B T H W"], Float[Tensor, "B H C W"]]:
    """Return `sum_{j<=i} (q_i.k_j) v_j` for each token i, and the sum of `k_j v_j'` after all.

    Args:
        q: Features of queries.
        k: Features of keys.
        v: What is summed.
        starts: Tokens at which the sums begin again.
        state: The sum over earlier tokens.
        chunk: Tokens in a chunk.
    """
    n_tokens = q.shape[1]
    size = min(chunk, n_tokens)
    q, k, v = in_chunks(q, size), in_chunks(k, size), in_chunks(v, size)  # B H N c ...
    restarts = None if starts is None else in_chunks(starts[..., None], size)
    within, before = fading(q.new_zeros(1, 1, 1, size), restarts)
    written = (within[..., -1, :, None] * k).mT @ v  # B H N C W
    kept = before[..., -1, None, None].expand(-1, -1, written.shape[2], -1, -1)
    states = []
    for kept_here, written_here in zip(kept.unbind(2), written.unbind(2), strict=True):
        states.append(state)
        state = kept_here * state + written_here
    sums = (q @ k.mT * within) @ v + (before[..., None] * q) @ torch.stack(states, dim=2)
    return from_chunks(sums, n_tokens), state
