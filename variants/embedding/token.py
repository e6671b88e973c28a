"""A vector per token: the Qwen3 baseline."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import EMBEDDING, Embedding


@EMBEDDING.register("token")
class TokenEmbedding(Embedding):
    """`weight[token]`, unscaled.

    Source:
        Yang et al. 2025, "Qwen3 Technical Report", arXiv:2505.09388.
    """

    def __init__(self, dims: Dims) -> None:
        super().__init__(dims)
        self.weight = nn.Parameter(torch.empty(dims.vocab_size, dims.d_model))

    def forward(self, tokens: Int[Tensor, "B T"], context: Context) -> Float[Tensor, "B T D"]:
        return F.embedding(tokens, self.weight)
