"""Initial weights by address: an element is a function of (seed, parameter name, row, column).

Two arms of an ablation with the same seed therefore start with equal values wherever their
parameters share a name, also when matching has made one of them wider.
"""

import hashlib

import torch
from torch import Tensor, nn

from harness.core.hidden import hidden_matrices
from harness.core.slots import Slot
from harness.core.spec import Init

_GAMMA = -0x61C8864680B583EB  # 2**64 / golden ratio, as a signed integer: SplitMix64's increment
_MULTIPLIERS = (-0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15)


@torch.no_grad()
def initialize(
    model: nn.Module, init: Init, n_layers: int, seed: int, width_ratio: float = 1.0
) -> None:
    """Draw every parameter with two or more axes; the others keep the values they were built with.

    Args:
        model: Changed in place.
        init: The distribution.
        n_layers: For `outputs: depth_scaled`.
        seed: Any integer.
        width_ratio: Of muP: hidden matrices have a variance that falls with it.
    """
    hidden = set(hidden_matrices(model)) if width_ratio != 1.0 else set[nn.Parameter]()
    outputs, kept = _declared(model, "output_projections"), _declared(model, "keeps_values")
    scales = {"normal": 1.0, "depth_scaled": (2 * n_layers) ** -0.5, "zero": 0.0}
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2 and name not in kept:
            scale = scales[init.outputs] if name in outputs else 1.0
            scale *= width_ratio**-0.5 if parameter in hidden else 1.0
            parameter.copy_(scale * _start(init, seed, name, parameter.shape))


def _start(init: Init, seed: int, name: str, shape: torch.Size) -> Tensor:
    if init.scheme == "normal":
        return init.std * addressed_normal(seed, name, shape)
    if name.startswith("embedding."):
        return addressed_normal(seed, name, shape)
    return (2 * addressed_uniform(seed, name, shape) - 1) * shape[-1] ** -0.5


def addressed_normal(seed: int, name: str, shape: torch.Size) -> Tensor:
    """Return standard normal numbers, each a function of (seed, name, its indices) alone."""
    return torch.special.ndtri(addressed_uniform(seed, name, shape)).float()


def addressed_uniform(seed: int, name: str, shape: torch.Size) -> Tensor:
    """Return numbers in (0, 1), in fp64, each a function of (seed, name, its indices) alone.

    Source:
        Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators" (SplitMix64's
        finaliser as a hash of the indices); Salmon et al. 2011 for numbers by counter.
    """
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    bits = torch.tensor(int.from_bytes(digest, "little", signed=True))
    for axis, size in enumerate(shape):
        index = torch.arange(size).view([-1 if a == axis else 1 for a in range(len(shape))])
        bits = _mix(bits + (index + 1) * _GAMMA)
    return (_shift_right(bits, 11).double() + 0.5) * 2.0**-53


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift_right(x, 30)) * _MULTIPLIERS[0]
    x = (x ^ _shift_right(x, 27)) * _MULTIPLIERS[1]
    return x ^ _shift_right(x, 31)


def _shift_right(x: Tensor, n: int) -> Tensor:
    """Shift without dragging the sign along: torch's integers are signed."""
    return (x >> n) & ((1 << (64 - n)) - 1)


def _declared(model: nn.Module, attribute: str) -> set[str]:
    """Return the full names of the parameters that components list under `attribute`."""
    return {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, Slot)
        for name in getattr(module, attribute)
    }
