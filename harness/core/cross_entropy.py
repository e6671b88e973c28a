"""Cross-entropy of a linear head, in chunks: the logits of all tokens never exist at once."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.core.head import Head
from harness.core.targets import IGNORE

# Rows of logits held at once. Small enough to stay in cache at a vocabulary of thousands, large
# enough that the three matrix products run at full speed.
CHUNK_ELEMENTS = 2**20
ROWS = 512  # of logits when only scoring


def linear_cross_entropy(
    hidden: Float[Tensor, "N D"], head: Head, targets: Int[Tensor, "N"], z_loss: float = 0.0
) -> Float[Tensor, ""]:
    """Return the mean over targets of `-log softmax(head(hidden))[target]`, in nats.

    Targets of -100 are ignored. Gradients are computed in the forward pass, chunk by chunk, so
    that the logits are not needed again.

    Args:
        hidden: What the head reads.
        head: Its weight, its scale and its soft cap.
        targets: The right tokens.
        z_loss: Weight of `log(sum(exp(logits))) ** 2`, which keeps logits from drifting (Chowdhery
            et al. 2022, "PaLM", arXiv:2204.02311, section 5).
    """
    weight = head.weight
    hidden = head.scaled(hidden).to(weight.dtype)
    return _LinearCrossEntropy.apply(hidden, weight, targets, head.softcap, z_loss)  # type: ignore[no-untyped-call]


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx,  # noqa: ANN001
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        softcap: float | None,
        z_loss: float,
    ) -> Tensor:
        wants_hidden, wants_weight, *_ = ctx.needs_input_grad
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        grad_weight = torch.zeros_like(weight) if wants_weight else None
        matrix = weight.to(_product_dtype(weight))  # once, and not for each product
        n_targets = (targets != IGNORE).sum().clamp(min=1)
        total = hidden.new_zeros((), dtype=torch.float32)
        for start in range(0, len(hidden), rows := _rows(weight)):
            target, chunk = targets[start : start + rows], hidden[start : start + rows]
            chunk = chunk.to(matrix.dtype)
            counts = target != IGNORE
            # V N, not N V: products with a large vocabulary are faster that way on a CPU
            logits = (matrix @ chunk.T).float()
            slope = None
            if softcap is not None:
                squashed = torch.tanh(logits / softcap)
                logits, slope = squashed * softcap, 1 - squashed.square()
            index = torch.where(counts, target, 0)[None]
            right, largest = logits.gather(0, index), logits.amax(0, keepdim=True)
            # exponentials are taken once, for the loss and for the gradient
            powers = logits.sub_(largest).exp_()
            sums = powers.sum(0, keepdim=True)
            normaliser = sums.log() + largest
            losses = normaliser - right + z_loss * normaliser.square()
            total += (losses[0] * counts).sum()
            if not (wants_hidden or wants_weight):
                continue
            share = (counts / n_targets)[None]
            grad = powers.mul_(share * (1 + 2 * z_loss * normaliser) / sums)
            grad.scatter_add_(0, index, -share)
            grad = (grad if slope is None else grad.mul_(slope)).to(matrix.dtype)
            if grad_hidden is not None:
                grad_hidden[start : start + rows] = grad.T @ matrix
            if grad_weight is not None and matrix.dtype == weight.dtype:
                grad_weight.addmm_(grad, chunk)
            elif grad_weight is not None:
                grad_weight += grad @ chunk
        ctx.save_for_backward(grad_hidden, grad_weight)
        return total / n_targets

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def] # noqa: ANN001
        grad_hidden, grad_weight = ctx.saved_tensors
        return (
            None if grad_hidden is None else grad_hidden * grad,
            None if grad_weight is None else grad_weight * grad,
            None,
            None,
            None,
        )


def _product_dtype(weight: Tensor) -> torch.dtype:
    """Return what matrix products are computed in: autocast's type, where it is on."""
    device = weight.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return weight.dtype


def _rows(weight: Tensor) -> int:
    return max(64, 2 ** int(math.log2(CHUNK_ELEMENTS / weight.shape[0] + 1)))


@torch.no_grad()
def token_losses(
    hidden: Float[Tensor, "N D"], head: Callable[[Tensor], Tensor], targets: Int[Tensor, "N"]
) -> tuple[Float[Tensor, "N"], Bool[Tensor, "N"]]:
    """Return each target's loss in nats and whether `head`, which makes logits, ranks it first.

    Targets of -100 have loss 0 and are not correct.
    """
    losses, correct = [], []
    for chunk, target in zip(hidden.split(ROWS), targets.split(ROWS), strict=True):
        counts = target != IGNORE
        logits = head(chunk).float()
        index = torch.where(counts, target, 0)[:, None]
        loss = torch.logsumexp(logits, dim=1) - logits.gather(1, index)[:, 0]
        losses.append(torch.where(counts, loss, 0.0))
        correct.append((logits.argmax(1) == target) & counts)
    return torch.cat(losses), torch.cat(correct)
