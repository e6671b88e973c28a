"""What routers leave in the context of a forward pass, and what is made of it over all layers."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.core.context import Context

# Published by every layer with experts, E of them, of which a token meets k:
PROBABILITIES = "router_probabilities"  # B T E, sums to one over the experts
CHOSEN = "experts_chosen"  # B T k
NORMALISER = "router_normaliser"  # B T, the log of the softmax's; only where there is a z-loss


def expert_tokens(
    context: Context, layer_idx: int, counted: Bool[Tensor, "B T"] | None
) -> Int[Tensor, "E"]:
    """Return how many of the counted tokens met each expert of a layer; None counts all."""
    chosen = context.published(CHOSEN)[layer_idx]
    probabilities = context.published(PROBABILITIES)[layer_idx]
    met = torch.zeros_like(probabilities, dtype=torch.bool).scatter_(-1, chosen, True)
    return (met if counted is None else met & counted[..., None]).sum((0, 1))


def balance_loss(context: Context, layer_idx: int) -> Float[Tensor, ""]:
    """Return a layer's part of `E * sum_e share_e * probability_e`: k when experts share equally.

    share_e says what share of the tokens met expert e, probability_e is the mean of what the router
    gave it; both over the tokens, padding apart, of all layers that have as many experts. The
    parts of these layers add up to the loss: only the probabilities have gradients, and each
    layer brings its own.

    Source:
        Fedus et al. 2022, "Switch Transformers", arXiv:2101.03961, equation 4; over all layers
        together as in transformers' `load_balancing_loss_func`.
    """
    probabilities = context.published(PROBABILITIES)
    own = probabilities[layer_idx]
    n_experts = own.shape[-1]
    alike = [i for i, other in probabilities.items() if other.shape[-1] == n_experts]

    def shares() -> Float[Tensor, "E"]:
        tokens = torch.stack([expert_tokens(context, i, context.valid) for i in alike]).sum(0)
        n_tokens = (
            own[..., 0].numel() if context.valid is None else context.valid.sum().clamp(min=1)
        )
        return tokens / (n_tokens * len(alike))

    shared = context.once(("expert shares", n_experts), shares)
    return n_experts * (shared * token_mean(own, context)).sum() / len(alike)


def router_z_loss(context: Context, layer_idx: int) -> Float[Tensor, ""]:
    """Return a layer's part of the mean, over tokens and layers, of the squared log normaliser.

    Source:
        Zoph et al. 2022, "ST-MoE", arXiv:2202.08906, equation 5, averaged over layers.
    """
    normalisers = context.published(NORMALISER)
    own = normalisers[layer_idx].square()[..., None]
    return token_mean(own, context)[0] / len(normalisers)


def token_mean(x: Float[Tensor, "B T E"], context: Context) -> Float[Tensor, "E"]:
    """Return the mean over all tokens; padding is none."""
    if context.valid is None:
        return x.mean((0, 1))
    counted = context.valid[..., None]
    return (x * counted).sum((0, 1)) / counted.sum().clamp(min=1)
