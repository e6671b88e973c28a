"""Predict several tokens ahead: the next one, and one more for each module of its own."""

from typing import Annotated

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.cross_entropy import linear_cross_entropy
from harness.core.dims import Dims
from harness.core.head import Head
from harness.core.slots import OBJECTIVE, Block, MakeBlock, MakeNorm, Objective
from harness.core.targets import IGNORE


@OBJECTIVE.register("multi_token")
class MultiToken(Objective):
    """Mean cross-entropy of the next token, plus that of `depth` later ones each, in nats.

    Module k = 1, 2, ... reads at position i what module k - 1 (the model itself) returned there
    and the embedding of token i + k, runs a block of its own over them and predicts token
    i + k + 1 with the model's head. The modules serve training alone: text is generated without.

    Options:
        depth: Modules, and so tokens predicted besides the next one, >= 1.
        weight: Of the mean of their losses, >= 0.

    Source:
        DeepSeek-AI 2024, "DeepSeek-V3", arXiv:2412.19437, section 2.2. The first module reads what
        the head does, so after the final norm, and each loss is a mean over its own targets.
    """

    def __init__(
        self,
        dims: Dims,
        make_block: MakeBlock,
        make_norm: MakeNorm,
        *,
        depth: Annotated[int, Field(ge=1, examples=[2])] = 1,
        weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.3,
    ) -> None:
        super().__init__(dims, make_block, make_norm)
        self.weight = weight
        blocks = [make_block(dims.n_layers + k) for k in range(depth)]
        self.ahead = nn.ModuleList(_Ahead(dims.d_model, block, make_norm) for block in blocks)

    def forward(
        self,
        hidden: Float[Tensor, "B T D"],
        targets: Int[Tensor, "B T"],
        head: Head,
        context: Context,
    ) -> Float[Tensor, ""]:
        loss = linear_cross_entropy(hidden.flatten(0, 1), head, targets.flatten())
        embedded = context.published("embedding")[0]
        for k, module in enumerate(self.ahead, start=1):
            # Nothing is rolled in from elsewhere: routers would count it.
            reaches = _reaches(k, targets, context)
            hidden, predicts = module(hidden, embedded.roll(-k, 1) * reaches[..., None], context)
            later = targets.roll(-k, 1).where(reaches, IGNORE)
            ahead = linear_cross_entropy(predicts.flatten(0, 1), head, later.flatten())
            loss = loss + self.weight / len(self.ahead) * ahead
        return loss


class _Ahead(nn.Module):
    """One more token ahead: join, block and norm."""

    def __init__(self, d_model: int, block: Block, make_norm: MakeNorm) -> None:
        super().__init__()
        self.hidden_norm, self.embedding_norm = make_norm(d_model), make_norm(d_model)
        self.join = nn.Linear(2 * d_model, d_model, bias=False)
        self.block = block
        self.norm = make_norm(d_model) if block.final_norm else nn.Identity()

    def forward(
        self, hidden: Float[Tensor, "B T D"], embedded: Float[Tensor, "B T D"], context: Context
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B T D"]]:
        """Return what the next module reads, and what the head does."""
        both = torch.cat((self.hidden_norm(hidden), self.embedding_norm(embedded)), dim=-1)
        hidden = self.block(self.join(both), context)
        return hidden, self.norm(hidden)


def _reaches(k: int, targets: Int[Tensor, "B T"], context: Context) -> Bool[Tensor, "B T"]:
    """Say from which positions there are k tokens more in the same document."""
    reached = (torch.arange(targets.shape[1], device=targets.device) + k < targets.shape[1])[None]
    if context.valid is not None:
        reached = reached & context.valid & context.valid.roll(-k, 1)
    if (runs := context.runs) is not None:
        reached = reached & (runs == runs.roll(-k, 1))
    return reached.expand_as(targets)
