"""Gated DeltaNet: a state that decays and is corrected where a key is written again."""

from typing import Annotated

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
from harness.core.short_convolution import ShortConvolution
from harness.core.slots import ATTENTION, Attention, MakeNorm, MakePosition


@ATTENTION.register("gated_delta")
class GatedDeltaNet(Attention):
    """`S_t = a_t S_(t-1) + b_t k_t (v_t - a_t S_(t-1)' k_t)'` and `o_t = S_t' q_t`, per head.

    `b = sigmoid(b_proj(x))` is how much of what k finds is replaced by v, and
    `a = exp(-exp(A_log) softplus(a_proj(x) + dt_bias))` what the head remembers. q, k and v pass a
    short convolution and SiLU; q and k have length one, q then `head_dim ** -0.5`. Outputs are
    normalised per head, by the norm of the layer, and multiplied by `silu(g_proj(x))`.

    Order comes from the recurrence: the layer's position component is not used. The state is kept
    in fp32. Heads start with memories between 1000 tokens and one.

    Options:
        chunk: Tokens in a chunk; changes the speed, not the function.

    Source:
        Yang, Kautz and Hatamizadeh 2024, "Gated Delta Networks", arXiv:2412.06464, section 3; the
        chunks are its section 3.3 (the UT transform of arXiv:2406.06484). As many channels for
        values as for keys; decays start on a grid over Mamba-2's range instead of at random; the
        convolution is added to its input.
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
        chunk: Annotated[int, Field(ge=1)] = 64,
    ) -> None:
        super().__init__(dims, layer_idx, make_position, make_norm)
        self.layer_idx, self.chunk = layer_idx, chunk
        self.n_heads, self.head_dim = dims.n_heads, dims.head_dim
        width = dims.n_heads * dims.head_dim
        self.q_proj = nn.Linear(dims.d_model, width, bias=False)
        self.k_proj = nn.Linear(dims.d_model, width, bias=False)
        self.v_proj = nn.Linear(dims.d_model, width, bias=False)
        self.conv = ShortConvolution(3 * width)
        self.a_proj = nn.Linear(dims.d_model, dims.n_heads, bias=False)
        self.b_proj = nn.Linear(dims.d_model, dims.n_heads, bias=False)
        self.A_log = nn.Parameter(torch.linspace(1, 16, dims.n_heads).log())
        step = torch.logspace(-3, -1, dims.n_heads)
        self.dt_bias = nn.Parameter(step.expm1().log())  # softplus makes it the step again
        self.g_proj = nn.Linear(dims.d_model, width, bias=False)
        self.o_norm = make_norm(dims.head_dim)
        self.o_proj = nn.Linear(width, dims.d_model, bias=False)

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        cache = context.cache(self.layer_idx)
        before = {} if cache is None else cache.buffers
        mixed = torch.cat((self.q_proj(x), self.k_proj(x), self.v_proj(x)), dim=-1)
        mixed, inputs = self.conv(mixed, context, before.get("inputs"))
        dtype = torch.promote_types(x.dtype, torch.float32)
        mixed = F.silu(mixed).to(dtype).unflatten(-1, (3, self.n_heads, -1))
        q, k, v = mixed.unbind(2)  # B T H C
        log_decay, strength = self._gates(x, context, dtype)
        state = before.get("state")
        if state is None:
            state = q.new_zeros(len(x), self.n_heads, self.head_dim, self.head_dim)
        with full_precision(x.device):
            q, k = _unit(q) * self.head_dim**-0.5, _unit(k)
            starts = document_starts(context)
            out, state = delta_rule(q, k, v, log_decay, strength, starts, state, self.chunk)
        if cache is not None:
            assert isinstance(cache, StateCache) and inputs is not None
            cache.update(context, x.shape[1], state=state, inputs=inputs)
        out = self.o_norm(out.to(x.dtype)).flatten(2)
        return self.o_proj(out * F.silu(self.g_proj(x)))

    def _gates(
        self, x: Float[Tensor, "B T D"], context: Context, dtype: torch.dtype
    ) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "B T H"]]:
        steps = F.softplus(self.a_proj(x).to(dtype) + self.dt_bias)
        log_decay = -self.A_log.exp() * steps
        strength = self.b_proj(x).to(dtype).sigmoid()
        if context.valid is None:
            return log_decay, strength
        tokens = context.valid[..., None]  # padding forgets nothing and writes nothing
        return log_decay * tokens, strength * tokens

    def new_cache(
        self, batch: int, max_len: int, device: torch.device, dtype: torch.dtype
    ) -> Cache:
        """Keep the state, C C numbers a head, in fp32 at least, and the convolution's inputs."""
        exact = torch.promote_types(dtype, torch.float32)
        sizes = (batch, self.n_heads, self.head_dim, self.head_dim)
        width, kernel = self.conv.weight.shape
        buffers = {
            "state": torch.zeros(sizes, device=device, dtype=exact),
            "inputs": torch.zeros(batch, kernel - 1, width, device=device, dtype=dtype),
        }
        return StateCache(buffers, max_len)


def delta_rule(
    q: Float[Tensor, "B T H C"],
    k: Float[Tensor, "B T H C"],
    v: Float[Tensor, "B T H W"],
    log_decay: Float[Tensor, "B T H"],
    strength: Float[Tensor, "B T H"],
    starts: Bool[Tensor, "B T"] | None,
    state: Float[Tensor, "B H C W"],
    chunk: int,
) -> tuple[Float[Tensor, "B T H W"], Float[Tensor, "B H C W"]]:
    """Return what the queries read, and the state after all tokens.

    Args:
        q: Queries.
        k: Keys, of length one at most.
        v: Values.
        log_decay: Logarithm of the decay.
        strength: Share of what a key finds that is replaced.
        starts: Tokens at which the state begins again at zero.
        state: The state before the first token.
        chunk: Tokens in a chunk.
    """
    n_tokens = q.shape[1]
    if n_tokens == 1:
        return _one_token(q, k, v, log_decay, strength, state)
    size = min(chunk, n_tokens)
    q, k, v = in_chunks(q, size), in_chunks(k, size), in_chunks(v, size)  # B H N c ...
    strength = in_chunks(strength, size)[..., None]
    restarts = None if starts is None else in_chunks(starts[..., None], size)
    within, before = fading(in_chunks(log_decay, size), restarts)
    # What token i writes depends on what all before it wrote: a triangular system. Its solution is
    # linear in the state before the chunk, so all chunks are solved at once.
    overlaps = strength * (k @ k.mT) * within
    wanted = strength * torch.cat((v, before[..., None] * k), dim=-1)
    solved = torch.linalg.solve_triangular(overlaps, wanted, upper=False, unitriangular=True)
    values, reads = solved.split([v.shape[-1], k.shape[-1]], dim=-1)
    kept_keys, kept_state = within[..., -1, :, None] * k, before[..., -1, None, None]
    states, written = [], []
    for n, (value, read, key) in enumerate(
        zip(values.unbind(2), reads.unbind(2), kept_keys.unbind(2), strict=True)
    ):
        states.append(state)
        written.append(value - read @ state)
        state = kept_state[:, :, n] * state + key.mT @ written[-1]
    out = (q @ k.mT * within) @ torch.stack(written, dim=2)
    out = out + (before[..., None] * q) @ torch.stack(states, dim=2)
    return from_chunks(out, n_tokens), state


def _one_token(
    q: Float[Tensor, "B 1 H C"],
    k: Float[Tensor, "B 1 H C"],
    v: Float[Tensor, "B 1 H W"],
    log_decay: Float[Tensor, "B 1 H"],
    strength: Float[Tensor, "B 1 H"],
    state: Float[Tensor, "B H C W"],
) -> tuple[Float[Tensor, "B 1 H W"], Float[Tensor, "B H C W"]]:
    q, k, v = q.movedim(1, 2), k.movedim(1, 2), v.movedim(1, 2)  # B H 1 ...
    state = state * log_decay.exp().mT[..., None]
    written = strength.mT[..., None] * (v - k @ state)
    state = state + k.mT @ written
    return (q @ state).movedim(2, 1), state


def _unit(x: Float[Tensor, "B T H C"]) -> Float[Tensor, "B T H C"]:
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + 1e-6)
