"""An average of the weights of a model over the last steps of its training."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from harness.errors import AblateError

PREFIX = "average."


class WeightAverage:
    """Exponential moving average: `average = decay * average + (1 - decay) * weight`, by `update`.

    Until 1 / (1 - decay) updates have been made it is the plain mean of the weights after each, so
    that initial weights leave no trace. Buffers are not averaged: the model's own are used.

    Args:
        model: Whose parameters are averaged, tied ones once. What training makes of a model
            (a parametrisation) must already be there, and stay.
        decay: From 0 (the last weights) to below 1; of 1 / (1 - decay) steps about is averaged.

    Source:
        Polyak and Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging"; Tarvainen
        and Valpola 2017, "Mean teachers", arXiv:1703.01780; Morales-Brotons, Vogels and Hendrikx
        2024, "Exponential Moving Average of Weights in Deep Learning", arXiv:2411.18704. The start
        is as in a running mean, where others warm the decay up as (1 + t) / (10 + t).

    Raises:
        ValueError: `decay` is out of its bounds.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be from 0 to below 1, but got {decay}")
        self.decay = decay
        self.n_updates = 0
        self._average = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        self.n_updates += 1
        share = max(1 - self.decay, 1 / self.n_updates)
        for name, parameter in model.named_parameters():
            self._average[name].lerp_(parameter, share)

    @contextmanager
    def swapped_in(self, model: nn.Module) -> Iterator[None]:
        """Let a model have the average as its weights for a while; its own come back bit for bit.

        Meanwhile the average must not be updated or stored.
        """
        self._swap(model)
        try:
            yield
        finally:
            self._swap(model)

    @torch.no_grad()
    def _swap(self, model: nn.Module) -> None:
        for name, parameter in model.named_parameters():
            weight = parameter.clone()
            parameter.copy_(self._average[name])
            self._average[name].copy_(weight)

    @torch.no_grad()
    def replace(self, model: nn.Module) -> None:
        """Give a model the average as its weights, for good."""
        for name, parameter in model.named_parameters():
            parameter.copy_(self._average[name])

    def tensors(self) -> dict[str, Tensor]:
        """Return the average by the names of the parameters, for a state of the training."""
        return {f"{PREFIX}{name}": tensor for name, tensor in self._average.items()}

    def restore(self, tensors: Mapping[str, Tensor], n_updates: int) -> None:
        """Go on, bit for bit, from what `tensors` returned after so many updates.

        Raises:
            AblateError: the state is of a training without an average.
        """
        missing = [name for name in self.tensors() if name not in tensors]
        if missing:
            raise AblateError(f"the state has no averaged weights: {missing[0]} is missing")
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])
        self.n_updates = n_updates
