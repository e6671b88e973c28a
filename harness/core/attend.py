"""Softmax attention over masked keys: what every softmax attention component shares."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.core.context import Context


def attend(
    q: Float[Tensor, "B T H C"],
    k: Float[Tensor, "B S K C"],
    v: Float[Tensor, "B S K W"],
    context: Context,
    *,
    key_positions: Int[Tensor, "1 S"] | None = None,
    bias: Float[Tensor, "..."] | None = None,
    window: int | None = None,
    scale: float | None = None,
) -> Float[Tensor, "B T H W"]:
    """Causal attention of H query heads over K key-value heads (query head h reads head h*K//H).

    Args:
        q: Queries.
        k: Keys.
        v: Values.
        context: The forward pass; its padding and document boundaries are obeyed.
        key_positions: Positions of keys from a cache; None when keys are the queries' own.
        bias: Added to the scores, broadcastable to (B, H, T, S); None adds nothing.
        window: A token sees this many of the latest tokens, itself included; None is all.
        scale: Of the scores; None is C ** -0.5.
    """
    mask: Tensor | None = None
    if bias is not None or needs_mask(context, key_positions, window, q.shape[1]):
        # Layers whose caches agree are handed the same positions, and share the mask; the positions
        # are kept beside it so that no other tensor can come to have their id.
        key = ("allowed", window, id(key_positions))
        make = lambda: (allowed_keys(context, key_positions, window), key_positions)  # noqa: E731
        mask, _ = context.once(key, make)
    if bias is not None and mask is not None:
        mask = bias.to(q.dtype).masked_fill(~mask, float("-inf"))
    out = F.scaled_dot_product_attention(
        q.transpose(1, 2),
        k.transpose(1, 2),
        v.transpose(1, 2),
        attn_mask=mask,
        is_causal=mask is None and q.shape[1] > 1,
        scale=scale,
        enable_gqa=q.shape[2] != k.shape[2],
    )
    return out.transpose(1, 2)


def needs_mask(
    context: Context, key_positions: Tensor | None, window: int | None, n_tokens: int
) -> bool:
    """Whether attention is anything but plainly causal over the queries' own keys."""
    windowed = window is not None and window < n_tokens
    special = context.valid is not None or context.documents is not None
    return windowed or special or key_positions is not None


def allowed_keys(
    context: Context, key_positions: Int[Tensor, "1 S"] | None, window: int | None
) -> Bool[Tensor, "B 1 T S"]:
    """Return which keys each query may read; padding reads itself, so that no row is empty."""
    queries = context.positions[:, :, None]
    keys = (context.positions if key_positions is None else key_positions)[:, None, :]
    allowed = keys <= queries
    if window is not None:
        allowed = allowed & (keys > queries - window)
    if key_positions is None:
        if context.documents is not None:
            allowed = allowed & (context.documents[:, :, None] == context.documents[:, None, :])
        if context.valid is not None:
            itself = torch.eye(queries.shape[1], dtype=torch.bool, device=queries.device)
            allowed = (allowed & context.valid[:, None, :]) | itself
    return allowed[:, None]
