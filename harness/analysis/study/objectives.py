"""What a study looks for, and in which direction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.units import count, size
from harness.analysis.words.titles import title

Definition = Mapping[str, Any]
"""A `study.json`; its keys are listed in `harness.store.studies`."""

_BYTES, _COUNTS = {"bytes", "memory"}, {"params", "flops", "tokens", "token"}


@dataclass(frozen=True)
class Objective:
    """A number of each trial, of which less or more is better."""

    key: str
    maximise: bool

    @property
    def column(self) -> str:
        """Where it is in the table of trials."""
        return f"objective.{self.key}"

    @property
    def title(self) -> str:
        """It in words."""
        return title(self.key)

    @property
    def direction(self) -> str:
        """What is better, in a word."""
        return "higher is better" if self.maximise else "lower is better"

    def words(self, value: float | None) -> str:
        """Write a value of it; a dash if it is unknown."""
        return value_words(self.key, value)


def objectives(definition: Definition) -> tuple[Objective, ...]:
    """Return what a study looks for, in its order."""
    return tuple(
        Objective(one["key"], one["direction"] == "maximize") for one in definition["objectives"]
    )


def minimised(trials: pd.DataFrame, looked_for: Sequence[Objective]) -> NDArray[np.float64]:
    """Return the objectives of trials, a column each, signed so that less is better."""
    values = trials[[one.column for one in looked_for]].to_numpy(float, na_value=np.nan)
    return values * np.array([-1.0 if one.maximise else 1.0 for one in looked_for])


def value_words(key: str, value: float | None) -> str:
    """Write a cost or a metric by its name: bytes and counts with units, others to 4 decimals."""
    if value is None or value != value:
        return "-"
    last = key.rpartition("/")[2].split("_")
    if _BYTES & set(last):
        return size(value)
    if _COUNTS & set(last):
        return count(value)
    return f"{value:.4f}" if abs(value) >= 0.01 else f"{value:.3g}"
