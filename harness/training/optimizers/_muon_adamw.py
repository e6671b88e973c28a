"""Muon for some parameter groups and AdamW for the others, in one optimizer."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from harness.training.optimizers._newton_schulz import orthogonalize

Group = dict[str, Any]
Scale = Literal["original", "match_rms_adamw"]
Dtype = Literal["auto", "fp32", "bf16"]


class MuonAdamW(torch.optim.Optimizer):
    """One optimizer of groups that say their `rule`: `muon` or `adamw`.

    A group of Muon has the options of the component `muon`; one of AdamW has `betas`, `eps` and
    `weight_decay`. The whole state is in `state_dict`, under torch's own names.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        super().__init__(groups, defaults={})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if group["rule"] == "muon":
                for alike in _stacks(params):
                    self._muon(alike, group)
            else:
                self._adamw(params, group)

    def _muon(self, params: list[Tensor], group: Group) -> None:
        """Update matrices, or stacks of matrices, of one shape."""
        averaged = torch.cat([self._averaged(p, group).reshape(-1, *p.shape[-2:]) for p in params])
        directions = orthogonalize(averaged, group["n_steps"], _dtype(group["dtype"], averaged))
        each = directions.split(len(directions) // len(params))
        for parameter, direction in zip(params, each, strict=True):
            direction = direction.view(parameter.shape)
            if group["neuron_beta2"] is not None:
                direction = self._normalized(parameter, direction, group["neuron_beta2"])
            _move(parameter, direction, group)

    def _averaged(self, parameter: Tensor, group: Group) -> Tensor:
        grad, momentum = parameter.grad, group["momentum"]
        assert grad is not None
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer: Tensor = state["momentum_buffer"].lerp_(grad, 1 - momentum)
        return grad.lerp(buffer, momentum) if group["nesterov"] else buffer

    def _normalized(self, parameter: Tensor, direction: Tensor, beta2: float) -> Tensor:
        """Divide each output neuron's row by the root of its mean square; keep the whole norm."""
        state = self.state[parameter]
        if "neuron_squares" not in state:
            state["neuron_squares"] = torch.zeros_like(parameter[..., :1])
        direction = direction.to(parameter.dtype)
        squares = direction.square().mean(-1, keepdim=True)
        average = state["neuron_squares"].lerp_(squares, 1 - beta2)
        normalized = direction / (average.sqrt() + 1e-10)
        norm, its_norm = (
            torch.linalg.matrix_norm(x, keepdim=True) for x in (direction, normalized)
        )
        return normalized * (norm / (its_norm + 1e-10))

    def _adamw(self, params: list[Tensor], group: Group) -> None:
        for p in params:
            if not self.state[p]:
                step = torch.zeros((), dtype=torch.float32, device=p.device)
                moments = {name: torch.zeros_like(p) for name in ("exp_avg", "exp_avg_sq")}
                self.state[p] = {"step": step, **moments}
        states = [self.state[p] for p in params]
        beta1, beta2 = group["betas"]
        adamw(
            params,
            [p.grad for p in params if p.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=group["fused"],
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def _stacks(params: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Put parameters together that are orthogonalised at once.

    On a GPU those of one shape, since there the time goes into launches. On a CPU each is alone:
    stacks leave its caches, and were up to a fifth slower for all but the smallest matrices.
    """
    alike: dict[Any, list[Tensor]] = {}
    for i, p in enumerate(params):
        alike.setdefault((p.shape, p.dtype, p.device) if p.is_cuda else i, []).append(p)
    yield from alike.values()


def _dtype(asked: Dtype, x: Tensor) -> torch.dtype:
    if asked == "auto":
        return torch.bfloat16 if x.is_cuda else x.dtype
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[asked]


def _move(parameter: Tensor, direction: Tensor, group: Group) -> None:
    decay = group["lr"] * group["weight_decay"]
    if group["cautious_decay"]:
        parameter.sub_(decay * parameter * (direction * parameter >= 0))
    else:
        parameter.mul_(1 - decay)
    parameter.add_(direction, alpha=-group["lr"] * _factor(group["scale"], parameter.shape))


def _factor(scale: Scale, shape: torch.Size) -> float:
    d_out, d_in = shape[-2:]
    if scale == "original":
        return math.sqrt(max(1.0, d_out / d_in))
    return 0.2 * math.sqrt(max(d_out, d_in))
