"""How a run is executed, which is no part of what it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from harness.store.checkpoints import SECONDS_BETWEEN_SAVES


@dataclass(frozen=True)
class Execution:
    """What a process trains or measures on, and how often it saves what it has."""

    device: torch.device
    threads: int = 1  # of the CPU; another number changes the last bits of a result
    checkpoint_seconds: float = SECONDS_BETWEEN_SAVES  # at least; 0: at every measurement

    def to_dict(self) -> dict[str, Any]:
        """Write it in the form that `read` takes, for another process."""
        return {
            "device": str(self.device),
            "threads": self.threads,
            "checkpoint_seconds": self.checkpoint_seconds,
        }

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> "Execution":
        """Read what `to_dict` has written."""
        return cls(**{**written, "device": torch.device(written["device"])})
