"""Muon for the matrices inside the network, AdamW for everything else."""

from typing import Annotated

import torch
from pydantic import Field

from harness.core.hidden import hidden_matrices
from harness.core.model import LanguageModel
from harness.training.optimizers import OPTIMIZER, Optimizer
from harness.training.optimizers._groups import (
    Beta,
    Decay,
    Decays,
    Rate,
    decay_groups,
)
from harness.training.optimizers._muon_adamw import Dtype, MuonAdamW, Scale
from harness.training.optimizers._newton_schulz import orthogonalize_flops


@OPTIMIZER.register("muon")
class Muon(Optimizer):
    """Momentum whose singular values are all moved near 1, for hidden matrices and stacked experts.

    Hidden matrices are the weights of linear layers inside blocks and objective, routers included.
    AdamW takes token embedding, head, norms, biases and other vectors, position tables and short
    convolutions.

    Options:
        lr: Peak learning rate of hidden matrices, > 0.
        momentum: Decay of the mean of gradients.
        nesterov: Whether to look ahead along that mean.
        n_steps: Newton-Schulz iterations, 1 to 20.
        dtype: What they are computed in: `fp32`, `bf16`, or `auto`: bf16 on a GPU, and on a CPU
            the type of the weights, since few have units for bf16.
        scale: `original` multiplies the update of a matrix by sqrt(max(1, out / in));
            `match_rms_adamw` by 0.2 sqrt(max(out, in)), so that rates of AdamW serve.
        weight_decay: Of hidden matrices, per step and unit of `lr`.
        cautious_decay: Whether hidden matrices decay only where that goes the way of the update.
        neuron_beta2: Decay of the mean square of the update of each output neuron, by whose root
            it is then divided, at an unchanged norm of the whole; null: not normalised.
        adamw_lr: Peak learning rate of everything else, > 0.
        adamw_beta1: Decay of its mean of gradients.
        adamw_beta2: Decay of the mean of their squares.
        adamw_eps: Added to the root of the mean square.
        adamw_weight_decay: Of what AdamW has, per step and unit of its rate.
        decays: Of what AdamW has: `matrices`, or `all` parameters.

    Source:
        Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks",
        kellerjordan.github.io/posts/muon; `torch.optim.Muon`, which takes no stacks of matrices and
        iterates in bf16 everywhere. `match_rms_adamw`: Liu et al. 2025, "Muon is Scalable for LLM
        Training", arXiv:2502.16982, section 2.2. `cautious_decay`: Chen et al. 2025, "Cautious
        Weight Decay", arXiv:2510.12402. `neuron_beta2`: Li et al. 2025, "NorMuon",
        arXiv:2510.05491, without its own scale: the norm stays Muon's. Under muP
        (`mup_base_width`) updates of scale `original` need no other rate, as their spectral norm
        does not grow with the width: Yang, Simon and Bernstein 2023, arXiv:2310.17813.
    """

    def __init__(
        self,
        *,
        lr: Rate = 0.01,
        momentum: Beta = 0.9,
        nesterov: bool = True,
        n_steps: Annotated[int, Field(ge=1, le=20)] = 5,
        dtype: Dtype = "auto",
        scale: Scale = "original",
        weight_decay: Decay = 0.3,
        cautious_decay: bool = False,
        neuron_beta2: Beta | None = None,
        adamw_lr: Rate = 0.03,
        adamw_beta1: Beta = 0.9,
        adamw_beta2: Beta = 0.99,
        adamw_eps: Annotated[float, Field(gt=0)] = 1e-8,
        adamw_weight_decay: Decay = 0.1,
        decays: Decays = "matrices",
    ) -> None:
        self.lr, self.n_steps, self.weight_decay = lr, n_steps, weight_decay
        self.hidden = {
            "rule": "muon",
            "lr": lr,
            "peak_lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "n_steps": n_steps,
            "dtype": dtype,
            "scale": scale,
            "weight_decay": weight_decay,
            "cautious_decay": cautious_decay,
            "neuron_beta2": neuron_beta2,
        }
        self.other = {
            "rule": "adamw",
            "lr": adamw_lr,
            "peak_lr": adamw_lr,
            "betas": (adamw_beta1, adamw_beta2),
            "eps": adamw_eps,
            "fused": True,
        }
        self.adamw_weight_decay, self.decays = adamw_weight_decay, decays

    def build(self, model: LanguageModel) -> torch.optim.Optimizer:
        """Return one optimizer, of a group for Muon and two for AdamW."""
        hidden = hidden_matrices(model)
        taken = set(hidden)
        others = [p for p in model.parameters() if p not in taken]
        groups = decay_groups(others, self.adamw_weight_decay, self.decays)
        inside = {"params": hidden, **self.hidden, **self._slowed(model.spec.width_ratio)}
        return MuonAdamW([inside, *(group | self.other for group in groups)])

    def _slowed(self, width_ratio: float) -> dict[str, float]:
        """Return what muP changes: an update of AdamW's size has AdamW's rule, others none."""
        if self.hidden["scale"] == "original":
            return {}
        lr, decay = self.lr / width_ratio, self.weight_decay * width_ratio
        return {"lr": lr, "peak_lr": lr, "weight_decay": decay}

    def flops_per_step(self, model: LanguageModel) -> int:
        """Return the FLOPs of the Newton-Schulz iterations."""
        shapes = (p.view(-1, *p.shape[-2:]).shape for p in hidden_matrices(model))
        return sum(orthogonalize_flops(shape, self.n_steps) for shape in shapes)
