"""How large the activations of a model are, layer by layer."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from harness.core.model import LanguageModel

RESIDUAL = "residual"
Activations = Mapping[str, Mapping[str, tuple[float | None, ...]]]
"""`rms` and `max` (of |x|) by layer, of the `residual` stream after each block and of what
`attention` and `ffn` write into it; None where a block has no such part."""


class ActivationMeter:
    """Measures while a model runs, without changing it or what it computes.

    Root mean squares and maxima are over all channels of the tokens that are expected.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._real: Bool[Tensor, "B T"] | None = None
        self._n_layers, self._width = len(model.blocks), model.spec.dims.d_model
        self._parts = dict(_parts_of(model))
        self._n_tokens = 0
        self._squares: dict[tuple[str, int], Tensor | float] = defaultdict(float)
        self._max: dict[tuple[str, int], Tensor] = {}

    @contextmanager
    def attached(self) -> Iterator["ActivationMeter"]:
        """Measure every forward pass meanwhile."""
        hooks = [
            module.register_forward_hook(partial(self._see, key))
            for key, module in self._parts.items()
        ]
        try:
            yield self
        finally:
            for hook in hooks:
                hook.remove()

    def expect(self, real: Bool[Tensor, "B T"], device: torch.device) -> None:
        """Say which tokens of the next batch are no padding, from the CPU."""
        self._n_tokens += int(real.sum())
        self._real = real.to(device)

    def found(self) -> Activations:
        """Return what was measured so far."""
        kinds = dict.fromkeys(kind for kind, _ in self._parts)
        return {kind: {"rms": self._rms(kind), "max": self._maxima(kind)} for kind in kinds}

    def _see(
        self, key: tuple[str, int], _module: nn.Module, _inputs: object, x: Float[Tensor, "B T D"]
    ) -> None:
        real, x = self._real, x.float()
        assert real is not None
        # of the ways to do this on a CPU, the fastest: infinity norms take 20 times as long
        squares = torch.linalg.vector_norm(x, dim=-1).square() * real
        largest = torch.maximum(x.amax(-1), -x.amin(-1)).where(real, 0.0).amax()
        self._squares[key] = squares.sum(dtype=torch.float64) + self._squares[key]
        self._max[key] = torch.maximum(largest, self._max.get(key, largest))

    def _rms(self, kind: str) -> tuple[float | None, ...]:
        n = self._n_tokens * self._width
        sums = (self._squares.get((kind, i)) for i in range(self._n_layers))
        return tuple(None if one is None else (float(one) / n) ** 0.5 for one in sums)

    def _maxima(self, kind: str) -> tuple[float | None, ...]:
        found = (self._max.get((kind, i)) for i in range(self._n_layers))
        return tuple(None if one is None else float(one) for one in found)


def _parts_of(model: LanguageModel) -> Iterator[tuple[tuple[str, int], nn.Module]]:
    for layer_idx, block in enumerate(model.blocks):
        yield (RESIDUAL, layer_idx), block
        for kind, name in block.writers.items():  # type: ignore[union-attr, operator]
            if isinstance(part := getattr(block, name, None), nn.Module):
                yield (kind, layer_idx), part
