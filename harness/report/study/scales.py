"""Where the values of a parameter are on an axis: choices have no distance, rates a logarithm."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.analysis.study.names import param_columns
from harness.analysis.study.read import Study
from harness.report.charts.axis import Axis

_FEW = 8
"""Whole numbers that are each named on an axis."""


@dataclass(frozen=True)
class Scale:
    """An axis of a parameter."""

    name: str
    values: Mapping[int, float]
    """Where each trial is, by its number; those that lack the parameter are left out."""
    names: Mapping[float, str]
    """What is written where; of a number that is no choice nothing."""
    log: bool = False

    @property
    def axis(self) -> Axis:
        """The axis that shows all values, from 0 to 1."""
        return Axis.around([*self.values.values(), *self.names], 0.0, 1.0, log=self.log)

    @property
    def log_ticks(self) -> list[float]:
        """Round values of a logarithmic axis: 1, 2 and 5 times powers of 10, or else its ends."""
        if not self.log:
            return []
        low, high = min(self.values.values()), max(self.values.values())
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        round_ones = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        inside = [tick for tick in round_ones if low <= tick <= high]
        return inside if len(inside) > 1 else [low, high]

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Where to write what."""
        if self.names:
            return list(self.names.items())
        if self.log:
            return [(tick, f"{tick:.3g}") for tick in self.log_ticks]
        form = self.axis.form()
        return [(tick, form(tick)) for tick in self.axis.ticks()]


def scales(study: Study, trials: pd.DataFrame) -> list[Scale]:
    """Return the scale of each parameter that some of the trials have."""
    short = param_columns(study.definition)
    found = (
        _scale(short[f"params.{name}"], asked, trials.set_index("number")[f"params.{name}"])
        for name, asked in study.definition["space"].items()
    )
    return [scale for scale in found if scale.values]


def _scale(name: str, asked: Mapping[str, Any], of_trials: pd.Series) -> Scale:
    attributes = json.loads(asked["distribution"])["attributes"]
    there = of_trials.dropna()
    numbers, values = there.index.tolist(), there.tolist()
    if "choices" not in attributes and values:
        places = dict(zip(numbers, map(float, values), strict=True))
        log, distinct = bool(attributes.get("log")), sorted(set(values))
        few = not log and len(distinct) <= _FEW and isinstance(distinct[0], int)
        return Scale(name, places, {float(v): str(v) for v in distinct} if few else {}, log)
    choices = sorted(set(values), key=lambda choice: (str(type(choice)), choice))
    places = {n: float(choices.index(value)) for n, value in zip(numbers, values, strict=True)}
    return Scale(name, places, {float(i): str(choice) for i, choice in enumerate(choices)})
