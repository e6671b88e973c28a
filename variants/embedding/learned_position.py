"""A vector per token plus a learned vector per position."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import EMBEDDING, Embedding


@EMBEDDING.register("learned_position")
class LearnedPositionEmbedding(Embedding):
    """`weight[token] + position_weight[position]`; positions beyond `max_seq_len` do not exist.

    Goes with `position: none` where learned positions are meant to replace rotary ones.

    Source:
        Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2).
    """

    def __init__(self, dims: Dims) -> None:
        super().__init__(dims)
        self.weight = nn.Parameter(torch.empty(dims.vocab_size, dims.d_model))
        self.position_weight = nn.Parameter(torch.empty(dims.max_seq_len, dims.d_model))

    def forward(self, tokens: Int[Tensor, "B T"], context: Context) -> Float[Tensor, "B T D"]:
        positions = F.embedding(context.positions, self.position_weight)
        return F.embedding(tokens, self.weight) + positions
