"""Mixture of experts: each token is sent through a few of many feed-forwards."""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.grouped import group_linears, sort_by_group
from harness.core.recurrence import full_precision
from harness.core.routing import (
    CHOSEN,
    NORMALISER,
    PROBABILITIES,
    balance_loss,
    expert_tokens,
    router_z_loss,
)
from harness.core.slots import FFN, FeedForward
from harness.errors import ConfigError

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TINY = 1e-20  # sigmoids of a token may all be zero in fp32


@FFN.register("moe")
class MixtureOfExperts(FeedForward):
    """`sum over the top_k experts e of weight_e(x) * expert_e(x)`, without a limit on their load.

    Options:
        n_experts: How many there are, >= 1.
        top_k: How many of them a token meets, 1 to `n_experts`.
        normalize_top_k: Whether the weights of the chosen experts are divided by their sum. A
            single one then weighs 1, and the router learns from the balance loss alone.
        d_ff: Hidden channels of one expert, >= 1. Left out: the `d_ff` of the model.
        expert: What an expert is: any dense feed-forward that is `d_ff` wide, by name.
        n_shared: Experts that every token meets besides, >= 0, as one of that many times the width.
        router: The weight of an expert: its part of a `softmax` over all, or the `sigmoid` of its
            own score.
        balance_loss: Weight, >= 0, of the loss that is smallest when all experts are equally
            loaded: `n_experts * sum_e share_e * probability_e`, over the tokens of all layers that
            have as many experts.
        bias_rate: How far, >= 0, a training step moves the bias with which experts are chosen, up
            for those with too few tokens and down for those with too many.
        z_loss: Weight, >= 0, of the squared log of the router's normaliser, the mean over tokens
            and layers.

    Source:
        Shazeer et al. 2017, arXiv:1701.06538; the router and the balance loss as in transformers'
        Qwen3-MoE (Yang et al. 2025, arXiv:2505.09388; Fedus et al. 2022, arXiv:2101.03961, section
        2.2); shared experts of Dai et al. 2024, "DeepSeekMoE", arXiv:2401.06066, section 3.2;
        sigmoid weights of DeepSeek-AI 2024, arXiv:2412.19437, section 2.1.2; the bias of Wang et
        al. 2024, "Auxiliary-Loss-Free Load Balancing", arXiv:2408.15664, algorithm 1; z-loss of
        Zoph et al. 2022, "ST-MoE", arXiv:2202.08906, section 3.
    """

    choice_bias: Tensor

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        *,
        n_experts: Annotated[int, Field(ge=1)] = 8,
        top_k: Annotated[int, Field(ge=1)] = 2,
        normalize_top_k: bool = True,
        d_ff: Annotated[int, Field(ge=1)] | None = None,
        expert: str = "swiglu",
        n_shared: Annotated[int, Field(ge=0, examples=[2])] = 0,
        router: Literal["softmax", "sigmoid"] = "softmax",
        balance_loss: Weight = 0.001,
        bias_rate: Annotated[Weight, Field(examples=[0.1])] = 0.0,
        z_loss: Weight = 0.0,
    ) -> None:
        super().__init__(dims, layer_idx)
        if top_k > n_experts:
            raise ValueError(f"top_k ({top_k}) must be at most n_experts ({n_experts})")
        self.layer_idx, self.n_experts, self.top_k = layer_idx, n_experts, top_k
        self.normalize_top_k, self.scored_by = normalize_top_k, router
        self.balance_loss, self.bias_rate, self.z_loss = balance_loss, bias_rate, z_loss
        width = d_ff or dims.d_ff
        self.router = nn.Linear(dims.d_model, n_experts, bias=False)
        with torch.device("meta"):  # its matrices are replaced
            self.experts = _build(expert, dims.resized(d_ff=width), layer_idx)
            wider = _build(expert, dims.resized(d_ff=2 * width), layer_idx)
        if isinstance(self.experts, MixtureOfExperts):
            raise ValueError("an expert must be a dense feed-forward, not itself a mixture")
        if _size(wider) == _size(self.experts):
            raise ValueError(f"expert {expert!r} chooses its own width: d_ff would say nothing")
        self.groups = group_linears(self.experts, n_experts)
        self.shared: FeedForward | None = None
        if n_shared:
            self.shared = _build(expert, dims.resized(d_ff=n_shared * width), layer_idx)
        if bias_rate:
            self.register_buffer("choice_bias", torch.zeros(n_experts))

    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]:
        weights, chosen = self._route(x, context)
        order = sort_by_group(chosen.flatten(0, 1), self.n_experts)
        rows = x.flatten(0, 1).index_select(0, order.item)
        with self.groups.ending(order.ends):
            rows = self.experts(rows[None], context)[0]
        weights = weights.flatten(0, 1).to(rows.dtype)
        # a sum over the rows of each token: neither atomic operations nor a copy in their order
        mixed = F.embedding_bag(order.place, rows, mode="sum", per_sample_weights=weights)
        mixed = mixed.view_as(x)
        return mixed if self.shared is None else mixed + self.shared(x, context)

    def _route(
        self, x: Float[Tensor, "B T D"], context: Context
    ) -> tuple[Float[Tensor, "B T k"], Int[Tensor, "B T k"]]:
        """Return the weights and indices of each token's experts; publish what losses need."""
        with full_precision(x.device):
            logits = self.router(x.to(self.router.weight.dtype)).float()  # B T E
        scores = logits.softmax(-1) if self.scored_by == "softmax" else logits.sigmoid()
        biased = scores
        if self.bias_rate:  # copied: a block that is computed twice must choose the same twice
            biased = scores + context.once(("bias", self.layer_idx), self.choice_bias.clone)
        chosen = biased.topk(self.top_k).indices
        weights = scores.gather(-1, chosen)
        if self.normalize_top_k:
            weights = weights / weights.sum(-1, keepdim=True).clamp(min=TINY)
        if self.scored_by == "sigmoid":
            scores = scores / scores.sum(-1, keepdim=True).clamp(min=TINY)
        context.publish(PROBABILITIES, self.layer_idx, scores)
        context.publish(CHOSEN, self.layer_idx, chosen)
        if self.z_loss:
            context.publish(NORMALISER, self.layer_idx, logits.logsumexp(-1))
        return weights, chosen

    def auxiliary_loss(self, context: Context) -> Float[Tensor, ""] | None:
        """Return this layer's parts of the losses; in training, also correct the bias."""
        if self.training and self.bias_rate:
            tokens = expert_tokens(context, self.layer_idx, context.valid).float()
            self.choice_bias += self.bias_rate * (tokens.mean() - tokens).sign()
        losses = []
        if self.balance_loss:
            losses.append(self.balance_loss * balance_loss(context, self.layer_idx))
        if self.z_loss:
            losses.append(self.z_loss * router_z_loss(context, self.layer_idx))
        return torch.stack(losses).sum() if losses else None

    def idle_params(self) -> int:
        """Count the experts that a token does not meet."""
        return (self.n_experts - self.top_k) * _size(self.experts) // self.n_experts


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _build(expert: str, dims: Dims, layer_idx: int) -> FeedForward:
    try:
        return FFN.build(FFN.resolve(expert, dims), dims, layer_idx)
    except ConfigError as error:
        raise error.within("expert") from None
