"""The weights that a finished run leaves: the final ones, and the best if those are others."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from harness.store.atomic import replacing
from harness.store.errors import StoreError
from harness.store.records import Result

Weights = Literal["final", "best"]
FILES: dict[Weights, str] = {"final": "weights.safetensors", "best": "best.safetensors"}


def write_weights(folder: Path, save: Callable[[Path], None], which: Weights) -> str:
    """Keep weights, which `save` writes to a path; return their SHA-256."""
    path = folder / FILES[which]
    with replacing(path) as temporary:
        save(temporary)
    return _sha256(path)


def checked_weights(folder: Path, result: Result | None, which: Weights) -> Path:
    """Return where the weights of a run that ended like this are, after reading them all.

    Raises:
        StoreError: there are none, or not those that the run has written.
    """
    if which == "best" and result and result.best_step == result.metrics.get("steps"):
        which = "final"  # the last evaluation was the best one
    path = folder / FILES[which]
    written = result and (result.weights_sha256 if which == "final" else result.best_weights_sha256)
    if not written or not path.exists():
        lost = "this run has no weights; it has to be trained again"
        older = "the best weights of this run were not kept: only final ones are there"
        raise StoreError(path, lost if which == "final" else older)
    if _sha256(path) != written:
        advice = "remove this file, and the run will be trained again"
        raise StoreError(path, f"corrupt: not what the run has written; {advice}")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
