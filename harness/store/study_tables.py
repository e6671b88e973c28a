"""The tables of a study for other programs; they can be made again from its events."""

import io
from pathlib import Path

import pandas as pd

from harness.store.atomic import write_bytes, write_text


def write_study_tables(folder: Path, trials: pd.DataFrame, summary: pd.DataFrame) -> None:
    """Replace `trials.parquet` and `summary.csv` in a study's folder, each atomically."""
    buffer = io.BytesIO()
    trials.to_parquet(buffer, index=False)
    write_bytes(folder / "trials.parquet", buffer.getvalue())
    write_text(folder / "summary.csv", summary.to_csv(index=False, lineterminator="\n"))
