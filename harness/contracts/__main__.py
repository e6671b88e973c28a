"""Hold the components of a folder to their contracts."""

import sys
from pathlib import Path

import torch

from harness.contracts.check import broken_contracts, in_folder
from harness.core.registry import use_folder
from harness.core.slots import SLOTS


def main(folder: Path) -> int:
    """Hold the components of a folder to their contracts; print and count what breaks."""
    torch.set_num_threads(1)
    use_folder(folder)
    n_broken = 0
    for subject in in_folder(folder):
        broken = broken_contracts(subject)
        n_broken += len(broken)
        print(f"{subject}: {'keeps every contract' if not broken else ''}")  # noqa: T201
        for name, why in broken.items():
            print(f"  {name}: {why}")  # noqa: T201
    for slot, registry in SLOTS.items():
        for name, why in registry.broken.items():
            n_broken += 1
            print(f"{slot}-{name}: {why}")  # noqa: T201
    return min(n_broken, 1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
