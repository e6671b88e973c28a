"""A vector per token, enlarged to the scale of the hidden states."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import EMBEDDING, Embedding


@EMBEDDING.register("scaled")
class ScaledEmbedding(Embedding):
    """`weight[token] * sqrt(d_model)`; a tied output head uses `weight` as it is.

    Source:
        Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762, section 3.4; so in
        Gemma (Gemma Team 2024, arXiv:2403.08295).
    """

    def __init__(self, dims: Dims) -> None:
        super().__init__(dims)
        self.weight = nn.Parameter(torch.empty(dims.vocab_size, dims.d_model))

    def forward(self, tokens: Int[Tensor, "B T"], context: Context) -> Float[Tensor, "B T D"]:
        return F.embedding(tokens, self.weight) * self.weight.shape[1] ** 0.5
