"""Which keys each query may read: causality, windows, documents and padding."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from harness.core.context import Context
from harness.core.window_blocks import WindowBlocks


def needs_mask(
    context: Context, key_positions: Tensor | None, window: int | None, n_tokens: int
) -> bool:
    """Whether attention is anything but plainly causal."""
    if key_positions is not None:
        # one query a row, at the last key of its row, reads them all
        return not (context.aligned and n_tokens == 1 and window is None)
    windowed = window is not None and window < n_tokens
    return windowed or context.valid is not None or context.documents is not None


def allowed_keys(
    context: Context, key_positions: Int[Tensor, "#B S"] | None, window: int | None
) -> Bool[Tensor, "#B 1 T S"]:
    """Return which keys each query may read; padding reads itself, so that no row is empty."""
    if key_positions is not None:
        distances = context.positions[:, :, None] - key_positions[:, None, :]
        return _within(distances, window)[:, None]
    index = torch.arange(context.positions.shape[1], device=context.positions.device)
    whole = lambda x: x  # noqa: E731 - nothing is cut
    return _allowed(context, (index[:, None] - index)[None], window, whole, whole)


def allowed_in_blocks(context: Context, blocks: WindowBlocks) -> Bool[Tensor, "BN 1 Q R"]:
    """Return the same for a sequence that is cut into blocks."""
    distances = blocks.distances(len(context.positions), context.positions.device)
    return _allowed(context, distances, blocks.window, blocks.queries, blocks.keys)


def _allowed(
    context: Context,
    distances: Int[Tensor, "#B T S"],
    window: int | None,
    of_queries: Callable[[Tensor], Tensor],
    of_keys: Callable[[Tensor], Tensor],
) -> Bool[Tensor, "#B 1 T S"]:
    allowed = _within(distances, window)
    if (runs := context.runs) is not None:
        allowed = allowed & (of_queries(runs)[:, :, None] == of_keys(runs)[:, None])
    if context.valid is not None:
        allowed = (allowed & of_keys(context.valid)[:, None]) | (distances == 0)
    return allowed[:, None]


def _within(distances: Int[Tensor, "#B T S"], window: int | None) -> Bool[Tensor, "#B T S"]:
    allowed = distances >= 0
    return allowed if window is None else allowed & (distances < window)
