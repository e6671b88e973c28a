"""Where results are kept."""

import os
from pathlib import Path


def results_root(option: Path | None = None) -> Path:
    """Return `--results` if given, else the folder in ABLATE_RESULTS, else `./results`."""
    return option or Path(os.environ.get("ABLATE_RESULTS") or "results")
