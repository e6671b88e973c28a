"""The language model: embedding, blocks, final norm and head, filled from a `VariantSpec`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from harness.core.cache import Cache
from harness.core.context import Context
from harness.core.head import Head
from harness.core.initialization import initialize
from harness.core.slots import (
    ATTENTION,
    BLOCK,
    EMBEDDING,
    FFN,
    NORM,
    OBJECTIVE,
    POSITION,
    Block,
    Norm,
    Position,
    Slot,
)
from harness.core.spec import VariantSpec
from harness.errors import AblateError, ConfigError

T = TypeVar("T")


class Losses(NamedTuple):
    """What training minimises: the objective's loss, and what components add to it."""

    objective: Float[Tensor, ""]
    auxiliary: Float[Tensor, ""] | float

    @property
    def total(self) -> Float[Tensor, ""]:
        """The sum of both."""
        return self.objective + self.auxiliary


class LanguageModel(nn.Module):
    """A causal language model built from a variant.

    Raises:
        ConfigError: a component refuses its dims or options; the path names the slot.
    """

    def __init__(self, spec: VariantSpec) -> None:
        super().__init__()
        dims = spec.dims
        self.spec = spec
        self.checkpointing = (
            False  # recompute each block in the backward pass: less memory, more time
        )
        self.embedding = _build("embedding", lambda: EMBEDDING.build(spec.embedding, dims))
        self.blocks = nn.ModuleList(_build_block(spec, i) for i in range(dims.n_layers))
        last = dims.n_layers - 1
        final_norm = self.blocks[last].final_norm
        self.norm = _make_norm(spec, last, dims.d_model) if final_norm else nn.Identity()
        scale = 1 / spec.width_ratio
        self.head = Head(dims.d_model, dims.vocab_size, spec.logit_softcap, scale)
        if spec.tie_embeddings:
            self.head.weight = self.embedding.weight
        make_block, make_norm = partial(_build_block, spec), partial(_make_norm, spec, last)
        make = partial(OBJECTIVE.build, spec.objective, dims, make_block, make_norm)
        self.objective = _build("objective", make)

    def initialize(self, seed: int) -> "LanguageModel":
        """Give every matrix its initial value, a function of (seed, name, row, column)."""
        initialize(self, self.spec.init, self.spec.dims.n_layers, seed, self.spec.width_ratio)
        return self

    def forward(
        self,
        tokens: Int[Tensor, "B T"],
        *,
        valid: Bool[Tensor, "B T"] | None = None,
        documents: Int[Tensor, "B T"] | None = None,
        caches: Sequence[Cache] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Return the logits of the token after each position.

        Args:
            tokens: Token ids.
            valid: False marks padding, which no token sees; None means there is none.
            documents: Tokens see no more than their run of equal ids; None lets them see everything
                before. Not with caches.
            caches: From `new_caches`, filled by earlier calls; these tokens are added to them.
        """
        hidden, _ = self.hidden(tokens, valid=valid, documents=documents, caches=caches)
        return self.head(hidden)

    def loss(
        self,
        tokens: Int[Tensor, "B T"],
        targets: Int[Tensor, "B T"],
        *,
        valid: Bool[Tensor, "B T"] | None = None,
        documents: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, ""]:
        """Return the training loss. Targets are the next tokens: nothing is shifted here."""
        return self.losses(tokens, targets, valid=valid, documents=documents).total

    def losses(
        self,
        tokens: Int[Tensor, "B T"],
        targets: Int[Tensor, "B T"],
        *,
        valid: Bool[Tensor, "B T"] | None = None,
        documents: Int[Tensor, "B T"] | None = None,
    ) -> "Losses":
        """Return the training loss in its two parts."""
        hidden, context = self.hidden(tokens, valid=valid, documents=documents)
        objective = self.objective(hidden, targets, self.head, context)
        slots = (module for module in self.modules() if isinstance(module, Slot))
        auxiliary = [slot.auxiliary_loss(context) for slot in slots]
        return Losses(objective, sum((loss for loss in auxiliary if loss is not None), 0.0))

    def hidden(
        self,
        tokens: Int[Tensor, "B T"],
        *,
        valid: Bool[Tensor, "B T"] | None = None,
        documents: Int[Tensor, "B T"] | None = None,
        caches: Sequence[Cache] | None = None,
    ) -> tuple[Float[Tensor, "B T D"], Context]:
        """Return what the head reads, with the context that the layers have filled."""
        if caches and len(tokens) != len(caches[0].lengths):
            rows = f"{len(tokens)} rows of tokens for caches of {len(caches[0].lengths)} rows"
            raise AblateError(rows)
        if caches and documents is not None:
            raise AblateError("caches hold one document a row: documents are given without caches")
        positions = _positions(tokens, valid, caches)
        dropout = self.spec.dropout if self.training else 0.0
        context = Context(positions, valid, documents, caches, dropout)
        if caches is None and tokens.shape[1] > self.spec.dims.max_seq_len:
            longest = self.spec.dims.max_seq_len
            raise AblateError(f"{tokens.shape[1]} tokens are more than max_seq_len ({longest})")
        for cache in caches or ():  # all layers take the tokens, or none does
            cache.check_room(context, tokens.shape[1])
        return self._trunk(tokens, context), context

    def _trunk(self, tokens: Int[Tensor, "B T"], context: Context) -> Float[Tensor, "B T D"]:
        x = self.embedding(tokens, context)
        context.publish("embedding", 0, x)
        x = context.drop(x)
        for block in self.blocks:
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(block, x, context, use_reentrant=False)
            else:
                x = block(x, context)
        return context.drop(self.norm(x))

    def compile_trunk(self) -> None:
        """Compile everything but the head for training, where all batches have one shape.

        The objective runs as it is, and so does all that is no training.
        """
        eager = self._trunk
        compiled = torch.compile(eager, dynamic=False)

        def trunk(tokens: Tensor, context: Context) -> Tensor:
            return (compiled if self.training else eager)(tokens, context)

        self._trunk = trunk  # type: ignore[method-assign]

    def new_caches(self, batch: int, max_len: int, dtype: torch.dtype | None = None) -> list[Cache]:
        """Return an empty cache for every layer.

        Raises:
            AblateError: the model has no positions beyond `max_seq_len`.
        """
        if max_len > self.spec.dims.max_seq_len:
            beyond = f"beyond max_seq_len ({self.spec.dims.max_seq_len})"
            raise AblateError(f"a cache of {max_len} tokens goes {beyond}")
        weight = self.head.weight
        about = (batch, max_len, weight.device, dtype or weight.dtype)
        return [block.new_cache(*about) for block in self.blocks]  # type: ignore[operator]


def _positions(
    tokens: Tensor, valid: Tensor | None, caches: Sequence[Cache] | None
) -> Int[Tensor, "B T"]:
    if valid is None:
        positions = torch.arange(tokens.shape[1], device=tokens.device).expand(tokens.shape)
    else:
        positions = (valid.cumsum(1) - 1).clamp(min=0)
    return positions if caches is None else positions + caches[0].lengths[:, None]


def _build_block(spec: VariantSpec, layer_idx: int) -> Block:
    dims = spec.dims
    make_norm = partial(_make_norm, spec, layer_idx)

    def make_position(width: int) -> Position:
        component = spec.layer("position", layer_idx)
        return _build("position", lambda: POSITION.build(component, dims, layer_idx, width))

    chosen = spec.layer("attention", layer_idx)
    attention = _build(
        "attention", lambda: ATTENTION.build(chosen, dims, layer_idx, make_position, make_norm)
    )
    ffn = _build("ffn", lambda: FFN.build(spec.layer("ffn", layer_idx), dims, layer_idx))
    block = spec.layer("block", layer_idx)
    return _build("block", lambda: BLOCK.build(block, dims, layer_idx, attention, ffn, make_norm))


def _make_norm(spec: VariantSpec, layer_idx: int, width: int) -> Norm:
    return _build("norm", lambda: NORM.build(spec.layer("norm", layer_idx), width))


def _build(slot: str, make: Callable[[], T]) -> T:
    try:
        return make()
    except ConfigError as error:
        # a position or a norm may be refused while the attention that holds it is being built
        inner = error.problems[0].path[:1] in {("position",), ("norm",)}
        raise error if inner else error.within(slot) from None
