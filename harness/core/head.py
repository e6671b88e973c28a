"""The output head: hidden states to logits."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Head(nn.Linear):
    """`scale * x @ weight.T`, and if `softcap` is given, `softcap * tanh(logits / softcap)`.

    Source:
        Gemma Team 2024, "Gemma 2", arXiv:2408.00118, section 2 (logit soft-capping).
        Yang et al. 2022, arXiv:2203.03466, table 8 (a scale, base width / width).
    """

    def __init__(
        self, d_model: int, vocab_size: int, softcap: float | None = None, scale: float = 1.0
    ) -> None:
        super().__init__(d_model, vocab_size, bias=False)
        self.softcap, self.scale = softcap, scale

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B V"]:
        """Return the logits."""
        return self.cap(super().forward(self.scaled(x)))

    def scaled(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Scale what the matrix is applied to, which is narrower than the logits."""
        return x if self.scale == 1.0 else self.scale * x

    def cap(self, logits: Float[Tensor, "*B V"]) -> Float[Tensor, "*B V"]:
        """Hold logits softly within +-softcap."""
        if self.softcap is None:
            return logits
        return self.softcap * torch.tanh(logits / self.softcap)
