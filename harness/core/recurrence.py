"""What recurrent attention shares: tokens in chunks, and what is left of one where another reads.

In a chunk of c tokens all pairs meet in matrix products; from chunk to chunk goes a state of one
size. So the cost grows with the length, not with its square, and few steps follow each other.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from harness.core.context import Context


def document_starts(context: Context) -> Bool[Tensor, "B T"] | None:
    """Mark the tokens that begin a document, or return None if all belong together.

    The first token of a call is not marked, as it may go on from a state. Padding begins nothing.
    """
    runs = context.runs
    if runs is None:
        return None
    return context.once("document starts", lambda: F.pad(runs.diff(dim=1) > 0, (1, 0)))


def in_chunks(x: Shaped[Tensor, "B T H *W"], size: int) -> Shaped[Tensor, "B H N c *W"]:
    """Cut the tokens into chunks of `size`, the last one filled up with zeros."""
    missing = -x.shape[1] % size
    x = F.pad(x, (0, 0) * (x.ndim - 2) + (0, missing))
    return x.unflatten(1, (-1, size)).movedim(3, 1).contiguous()  # else every product copies it


def from_chunks(x: Float[Tensor, "B H N c W"], n_tokens: int) -> Float[Tensor, "B {n_tokens} H W"]:
    """Undo `in_chunks`."""
    return x.movedim(1, 3).flatten(1, 2)[:, :n_tokens]


def fading(
    log_decay: Float[Tensor, "#B #H #N c"], starts: Bool[Tensor, "B 1 N c"] | None
) -> tuple[Float[Tensor, "#B #H #N c c"], Float[Tensor, "#B #H #N c"]]:
    """Return what is left of token j's at token i (zero if j > i), and of the state before.

    The last row of the first and the last element of the second say what is left after the chunk.

    Args:
        log_decay: A token multiplies what was there before it by the exponential of this.
        starts: Tokens before which everything is forgotten.
    """
    size = log_decay.shape[-1]
    seen = torch.ones(size, size, dtype=torch.bool, device=log_decay.device).tril()
    if starts is None:
        total = log_decay.cumsum(-1)
        before = total.exp()
    else:
        begun = starts.cumsum(-1)
        seen = seen & (begun[..., :, None] == begun[..., None, :])
        # summed for each document alone: a difference of sums would round by what stood before it
        total = (log_decay[..., None, :] * seen).sum(-1)
        before = total.exp() * (begun == 0)
    # masked before the exponential, which may overflow where j > i
    left = total[..., :, None] - total[..., None, :]
    return left.masked_fill(~seen, float("-inf")).exp(), before


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context without autocast: a sum over thousands of tokens would suffer in bf16."""
    if not torch.amp.is_autocast_available(device.type):  # the meta device has none to switch off
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
