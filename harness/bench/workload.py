"""What is timed: a variant, a batch of tokens, and what they are on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from harness.core.spec import VariantSpec
from harness.experiments.files.overrides import apply_overrides
from harness.experiments.showing.named_variant import named_variant
from harness.training.environment import choose_device

SIZES: dict[str, Any] = {
    "d_model": 256,
    "n_layers": 6,
    "n_heads": 8,
    "d_ff": 768,
    "vocab_size": 4096,
    "attention": {"name": "gqa", "n_kv_heads": 2},
}


@dataclass(frozen=True)
class Workload:
    """A variant and the shape of a batch: sequences of `seq_len` tokens."""

    spec: VariantSpec
    batch_size: int
    seq_len: int
    device: torch.device
    threads: int  # of the CPU

    def tokens(self, n_more: int = 0) -> Int[Tensor, "B T"]:
        """Draw a batch, longer by `n_more` tokens."""
        shape = (self.batch_size, self.seq_len + n_more)
        return torch.randint(self.spec.dims.vocab_size, shape).to(self.device)

    def to_dict(self) -> dict[str, Any]:
        """Write everything down."""
        return {
            "variant": self.spec.to_dict(),
            "batch_size": self.batch_size,
            "seq_len": self.seq_len,
            "device": str(self.device),
            "threads": self.threads,
        }


def preset_workload(
    preset: str,
    changes: Sequence[str],
    batch_size: int,
    seq_len: int,
    device: Literal["cpu", "cuda"],
    threads: int,
) -> Workload:
    """Return the workload of a preset with changes.

    Raises:
        ConfigError: no such preset, or a change that it does not take.
        AblateError: torch sees no such device.
    """
    spec = named_variant(preset, changes)
    return Workload(spec, batch_size, seq_len, choose_device(device), threads)


def read_workload(
    changes: Sequence[str],
    batch_size: int,
    seq_len: int,
    device: Literal["cpu", "cuda"],
    threads: int,
) -> Workload:
    """Return the workload of the benchmarks, its variant with changes such as `n_layers=2`.

    Raises:
        ConfigError: a change that a variant does not take.
        AblateError: torch sees no such device.
    """
    written = {**SIZES, "max_seq_len": seq_len}
    changed = apply_overrides(
        {"base": {"variant": written}}, [f"variant.{change}" for change in changes]
    )
    spec = VariantSpec.read(changed["base"]["variant"])
    return Workload(spec, batch_size, seq_len, choose_device(device), threads)
