"""Say of any exception what it was and where its author has to look."""

import traceback
from pathlib import Path

import torch

from harness.errors import AblateError

# Frames of torch, and of the machine that called the component, are not where a mistake is.
MACHINE = (Path(torch.__file__).parent, Path(__file__).parents[1])


def describe(error: BaseException) -> str:
    """Return `RuntimeError: what it says (file:line)`, of the innermost frame in a component."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if not any(Path(f.filename).is_relative_to(m) for m in MACHINE)]
    where = (inside or frames)[-1]
    return f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"


def cause_of(error: Exception) -> str:
    """Return why a run or a measurement failed, in a line."""
    if isinstance(error, AblateError):
        return str(error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return f"out of memory: {error}"
    return describe(error)
