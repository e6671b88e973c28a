"""The slots of the transformer: what each component is built with, and what it must do.

Axis letters, here and in every component:
B batch, T position, S key position, D d_model, F d_ff, V vocab_size, H n_heads, K n_kv_heads,
C head_dim.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from harness.core.cache import Cache
from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.head import Head
from harness.core.registry import Registry

MakeNorm = Callable[[int], "Norm"]  # width -> norm
MakePosition = Callable[[int], "Position"]  # width of what is rotated -> position
MakeBlock = Callable[[int], "Block"]  # layer index -> block


class Slot(nn.Module, ABC):
    """What all components have in common.

    A component draws no random numbers: parameters with two or more axes are initialised by the
    model from (seed, name, row, column), the others and those that it lists under `keeps_values`
    keep what they are built with.
    """

    provides: ClassVar[frozenset[str]] = frozenset()  # features others may need or exclude
    requires: ClassVar[frozenset[str]] = frozenset()  # of the other components of its layer
    excludes: ClassVar[frozenset[str]] = frozenset()
    output_projections: ClassVar[tuple[str, ...]] = ()  # parameters that write to the residual
    keeps_values: ClassVar[tuple[str, ...]] = ()  # matrices that start as they were built
    fault: ClassVar[str] = ""  # what is known to be wrong with it, of a component kept to show that

    @classmethod
    def complete(cls, options: Mapping[str, Any], dims: Dims) -> dict[str, Any]:
        """Fill in options whose default depends on the dims."""
        return dict(options)

    def flops(self, n_sequences: int, n_tokens: int) -> int | None:
        """State the FLOPs of one forward pass where counting operations would be wrong."""
        return None

    def idle_params(self) -> int:
        """Return how many of its own parameters a token does not meet (experts not chosen)."""
        return 0

    def auxiliary_loss(self, context: Context) -> Float[Tensor, ""] | None:
        """Return what is added to the training loss, asked for after the forward pass.

        A loss over all layers together is returned by one of them, from what all have published.
        """
        return None


class Embedding(Slot):
    """Tokens to vectors. `weight` (V D) is what a tied output head uses."""

    weight: nn.Parameter

    def __init__(self, dims: Dims) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, tokens: Int[Tensor, "B T"], context: Context) -> Float[Tensor, "B T D"]: ...


class Position(Slot):
    """What a layer's attention knows of order: a rotation of `width` channels, or a bias."""

    def __init__(self, dims: Dims, layer_idx: int, width: int) -> None:
        super().__init__()

    def rotate(
        self, q: Float[Tensor, "B T H C"], k: Float[Tensor, "B T K C"], context: Context
    ) -> tuple[Float[Tensor, "B T H C"], Float[Tensor, "B T K C"]]:
        """Turn queries and keys by their positions."""
        return q, k

    def bias(
        self, context: Context, key_positions: Int[Tensor, "#B S"] | None
    ) -> Float[Tensor, "#B H T S"] | None:
        """Return what is added to the attention scores, or None for nothing.

        The keys are those of a cache, at these positions, or the queries' own: None.
        A component that returns something also says `provides = {"attention_bias"}`.
        """
        return None


class Norm(Slot):
    """Bring the last axis, `width` wide, to scale."""

    def __init__(self, width: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]: ...


class Attention(Slot):
    """Mix information over positions, causally."""

    def __init__(
        self, dims: Dims, layer_idx: int, make_position: MakePosition, make_norm: MakeNorm
    ) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]: ...

    @abstractmethod
    def new_cache(
        self, batch: int, max_len: int, device: torch.device, dtype: torch.dtype
    ) -> Cache:
        """Return an empty cache for `batch` rows of at most `max_len` tokens.

        A layer has one cache, also if it holds nothing but lengths (a `StateCache` of width 0).
        """


class FeedForward(Slot):
    """Transform each position alone."""

    def __init__(self, dims: Dims, layer_idx: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]: ...


class Block(Slot):
    """Wire attention, feed-forward and norms into the residual stream.

    The attention it was given is found again as `self.attention`. What a sublayer adds to the
    stream goes through `context.drop`.
    """

    attention: Attention

    # which modules' outputs are added to the stream
    writers: ClassVar[Mapping[str, str]] = {"attention": "attention", "ffn": "ffn"}
    final_norm: ClassVar[bool] = True  # whether the model normalises what the last block returns

    def __init__(
        self,
        dims: Dims,
        layer_idx: int,
        attention: Attention,
        ffn: FeedForward,
        make_norm: MakeNorm,
    ) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, x: Float[Tensor, "B T D"], context: Context) -> Float[Tensor, "B T D"]: ...

    def new_cache(
        self, batch: int, max_len: int, device: torch.device, dtype: torch.dtype
    ) -> Cache:
        """Return an empty cache of the layer: the attention's, unless the block keeps more."""
        return self.attention.new_cache(batch, max_len, device, dtype)


class Objective(Slot):
    """Hidden states and targets to a loss, without holding all logits at once.

    It may make blocks and norms of its own, for training alone; their layer indices go on after
    the model's.
    """

    def __init__(self, dims: Dims, make_block: MakeBlock, make_norm: MakeNorm) -> None:
        super().__init__()

    @abstractmethod
    def forward(
        self,
        hidden: Float[Tensor, "B T D"],
        targets: Int[Tensor, "B T"],
        head: Head,
        context: Context,
    ) -> Float[Tensor, ""]:
        """Return the loss to minimise. Targets of -100 count for nothing."""


class Precision(ABC):  # noqa: B024 - both sides have a default: plain fp32
    """The numbers a model computes with: a side for training and a side for inference.

    Both sides change a model that has its initial or trained weights. Not every matrix is in an
    `nn.Linear`: components may hold stacked parameters. The head may be tied to the embedding;
    whatever stands in its place makes logits when called, and training reads its `weight`.
    """

    def prepare_training(self, model: nn.Module) -> None:
        """Change a built model in place before it is trained (quantisation-aware layers)."""

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        """Return the context that a training forward pass runs in."""
        return nullcontext()

    def finish_training(self, model: nn.Module) -> None:
        """Undo `prepare_training`: leave the trained weights, as parameters of their own names."""

    def prepare_inference(self, model: nn.Module) -> None:
        """Convert a trained model, whose training is finished, in place."""


EMBEDDING: Registry[Embedding] = Registry("embedding", Embedding, "variants.embedding")
POSITION: Registry[Position] = Registry("position", Position, "variants.position")
NORM: Registry[Norm] = Registry("norm", Norm, "variants.norm")
ATTENTION: Registry[Attention] = Registry("attention", Attention, "variants.attention")
FFN: Registry[FeedForward] = Registry("ffn", FeedForward, "variants.ffn")
BLOCK: Registry[Block] = Registry("block", Block, "variants.block")
OBJECTIVE: Registry[Objective] = Registry("objective", Objective, "variants.objective")
PRECISION: Registry[Precision] = Registry("precision", Precision, "variants.precision")

PER_LAYER: dict[str, Registry[Any]] = {
    "position": POSITION,
    "norm": NORM,
    "attention": ATTENTION,
    "ffn": FFN,
    "block": BLOCK,
}
PER_MODEL: dict[str, Registry[Any]] = {"embedding": EMBEDDING, "objective": OBJECTIVE}
SLOTS: dict[str, Registry[Any]] = {**PER_MODEL, **PER_LAYER, "precision": PRECISION}
