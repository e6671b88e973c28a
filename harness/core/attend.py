"""Softmax attention over masked keys: what every softmax attention component shares."""

from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.core.context import Context
from harness.core.masks import allowed_in_blocks, allowed_keys, needs_mask
from harness.core.window_blocks import WindowBlocks

Mix = partial[Float[Tensor, "B T H W"]]


def attend(
    q: Float[Tensor, "B T H C"],
    k: Float[Tensor, "B S K C"],
    v: Float[Tensor, "B S K W"],
    context: Context,
    *,
    key_positions: Int[Tensor, "#B S"] | None = None,
    bias: Float[Tensor, "..."] | None = None,
    window: int | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    sinks: Float[Tensor, "H"] | None = None,
) -> Float[Tensor, "B T H W"]:
    """Causal attention of H query heads over K key-value heads (query head h reads head h*K//H).

    Args:
        q: Queries.
        k: Keys.
        v: Values.
        context: The forward pass; its padding, document boundaries and dropout are obeyed.
        key_positions: Positions of keys from a cache; None when keys are the queries' own.
        bias: Added to the scores, broadcastable to (B, H, T, S); None adds nothing.
        window: A token sees this many of the latest tokens, itself included; None is all.
        scale: Of the scores; None is C ** -0.5.
        softcap: Holds scores within +- this, before `bias` is added; None leaves them.
        sinks: A score per head that takes its share of the softmax and brings no value.
    """
    mix: Mix = partial(_mix_fused, scale=scale, dropout=context.dropout)
    if softcap is not None or sinks is not None:
        mix = partial(
            _mix_scores, softcap=softcap, sinks=sinks, scale=scale, dropout=context.dropout
        )
    if blocks := _worthwhile_blocks(q.shape[1], window, key_positions):
        near = context.once(
            ("allowed in blocks", window), lambda: allowed_in_blocks(context, blocks)
        )
        bias = None if bias is None else blocks.pairs(bias, len(q))
        return blocks.joined(mix(blocks.queries(q), blocks.keys(k), blocks.keys(v), near, bias))
    mask: Tensor | None = None
    plain = mix.func is _mix_fused and bias is None
    if not plain or needs_mask(context, key_positions, window, q.shape[1]):
        # Layers whose caches agree are handed the same positions, and share the mask; the positions
        # are kept beside it so that no other tensor can come to have their id.
        key = ("allowed", window, id(key_positions))
        make = lambda: (allowed_keys(context, key_positions, window), key_positions)  # noqa: E731
        mask, _ = context.once(key, make)
    return mix(q, k, v, mask, bias)


def _worthwhile_blocks(
    n_tokens: int, window: int | None, key_positions: Tensor | None
) -> WindowBlocks | None:
    if window is None or key_positions is not None:
        return None
    blocks = WindowBlocks(n_tokens, window)
    return blocks if blocks.n_keys < n_tokens else None  # else no pair is saved


def _mix_fused(
    q: Float[Tensor, "B T H C"],
    k: Float[Tensor, "B S K C"],
    v: Float[Tensor, "B S K W"],
    mask: Bool[Tensor, "#B 1 T S"] | None,
    bias: Float[Tensor, "..."] | None,
    *,
    scale: float | None,
    dropout: float,
) -> Float[Tensor, "B T H W"]:
    """Mix values by torch's fused kernels, which never hold the scores; no mask means causal."""
    n_tokens, n_heads, n_kv_heads = q.shape[1], q.shape[2], k.shape[2]
    if bias is not None and mask is not None:
        mask = bias.to(q.dtype).masked_fill(~mask, float("-inf"))
    if n_tokens == 1 and bias is None:
        # The query heads of a key-value head become its queries: torch would copy all keys instead.
        q = q.view(len(q), n_kv_heads, n_heads // n_kv_heads, -1)  # B K H/K C
    else:
        q = q.transpose(1, 2)
    k, v = k.transpose(1, 2), v.transpose(1, 2)
    out = F.scaled_dot_product_attention(
        q,
        k,
        v,
        attn_mask=mask,
        dropout_p=dropout,
        is_causal=mask is None and n_tokens > 1,
        scale=scale,
        enable_gqa=q.shape[1] != n_kv_heads,
    )
    if n_tokens == 1:
        return out.reshape(len(out), 1, n_heads, -1)
    return out.transpose(1, 2)


def _mix_scores(
    q: Float[Tensor, "B T H C"],
    k: Float[Tensor, "B S K C"],
    v: Float[Tensor, "B S K W"],
    mask: Bool[Tensor, "#B 1 T S"],
    bias: Float[Tensor, "..."] | None,
    *,
    scale: float | None,
    dropout: float,
    softcap: float | None,
    sinks: Float[Tensor, "H"] | None,
) -> Float[Tensor, "B T H W"]:
    """Mix values by scores that are written out, for what the fused kernels cannot do to them."""
    share = q.shape[2] // k.shape[2]  # query heads of a key-value head
    k, v = k.repeat_interleave(share, dim=2), v.repeat_interleave(share, dim=2)  # B S H C
    scores = (q.transpose(1, 2) @ k.permute(0, 2, 3, 1)).float()  # B H T S
    # in place where autograd allows it: nothing else is as large as the scores
    scores = scores.mul_(q.shape[-1] ** -0.5 if scale is None else scale)
    if softcap is not None:
        scores = scores.div_(softcap).tanh_() * softcap
    if bias is not None:
        scores = scores + bias
    scores = scores.masked_fill_(~mask, float("-inf"))
    if sinks is None:
        weights = scores.softmax(-1)
    else:
        sink = sinks[:, None, None].expand(*scores.shape[:3], 1)
        weights = torch.cat((scores, sink), dim=-1).softmax(-1)[..., :-1]
    weights = F.dropout(weights, dropout).to(v.dtype)
    return (weights @ v.transpose(1, 2)).transpose(1, 2)
