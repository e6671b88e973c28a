"""What every layer may need to know about the current forward pass, made once and shared.

A new need extends `Context`; it never adds an argument to every layer.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from harness.core.cache import Cache, CompositeCache

T = TypeVar("T")


@dataclass
class Context:
    """The surroundings of one forward pass over a batch of B sequences of T tokens."""

    positions: Int[Tensor, "B T"]  # of each token in its own sequence, counted from 0
    valid: Bool[Tensor, "B T"] | None = None  # False marks padding; None means all are tokens
    documents: Int[Tensor, "B T"] | None = None  # ids of documents, if they are kept apart: `runs`
    caches: Sequence[Cache] | None = None  # one a layer, when tokens of earlier calls count too
    dropout: float = 0.0  # probability; 0 outside training
    _published: dict[str, dict[int, Tensor]] = field(default_factory=dict)
    _memo: dict[Hashable, object] = field(default_factory=dict)

    def cache(self, layer_idx: int, part: str = "attention") -> Cache | None:
        """Return the cache of a layer's attention, or of another part; None when training."""
        if self.caches is None:
            return None
        cache = self.caches[layer_idx]
        return cache.parts[part] if isinstance(cache, CompositeCache) else cache

    @property
    def aligned(self) -> bool:
        """Whether the rows' tokens stand at the same positions, as far as is known."""
        return self.valid is None and (self.caches is None or self.caches[0].aligned)

    @property
    def runs(self) -> Int[Tensor, "B T"] | None:
        """Count the documents of a row from 0, or return None if all tokens belong together.

        A document is a run of equal ids. Padding belongs to that of the token before it.
        """
        return self.once("runs", self._runs)

    def _runs(self) -> Int[Tensor, "B T"] | None:
        ids = self.documents
        if ids is None:
            return None
        if self.valid is not None:
            places = torch.arange(ids.shape[1], device=ids.device)
            ids = ids.gather(1, torch.where(self.valid, places, 0).cummax(1).values)
        return F.pad(ids[:, 1:] != ids[:, :-1], (1, 0)).cumsum(1)

    def drop(self, x: Tensor) -> Tensor:
        """Apply dropout (Srivastava et al. 2014), if the model trains with it."""
        return F.dropout(x, self.dropout) if self.dropout else x

    def publish(self, name: str, layer_idx: int, value: Tensor) -> None:
        """Leave a tensor for later layers or the objective (router statistics, first values)."""
        self._published.setdefault(name, {})[layer_idx] = value

    def published(self, name: str) -> dict[int, Tensor]:
        """Return what layers have left under `name`, by layer index, in order."""
        return self._published.get(name, {})

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return `compute()`, computed by the first layer that asks and shared with the others.

        `key` must name everything that the value depends on besides this context.
        """
        if key not in self._memo:
            self._memo[key] = compute()
        return self._memo[key]  # type: ignore[return-value]
