"""The keys of a search's file."""

from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, field_validator

from harness.errors import ConfigError
from harness.experiments.question.config import NAME, Analysis
from harness.experiments.question.run_config import SAMPLES
from harness.quantities import Count, Flops, Fraction
from harness.schema import Frozen, parse

SHARED = ("name", "question", "base", "match", "analysis", "evaluate", "components", "device")
"""Keys that mean what they mean in the file of an ablation."""


class SearchFile(Frozen):
    """Everything that may stand in the file."""

    name: str
    question: str = ""
    base: dict[str, Any] = Field(default_factory=dict)
    space: dict[str, Any] = Field(default_factory=dict)
    objectives: Any = None
    constraints: dict[str, Any] = Field(default_factory=dict)
    sampler: Any = "tpe"
    rungs: list[Any] | dict[str, Any] | None = None
    pruner: Any = None
    trials: Count = Field(le=10_000)
    limits: dict[str, Any] = Field(default_factory=dict)
    enqueue: list[dict[str, Any]] = Field(default_factory=list)
    confirm: dict[str, Any] | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    storage: str = "sqlite"
    match: Literal["none"] | dict[str, Any] = "none"
    analysis: Analysis = Field(default_factory=Analysis)
    evaluate: list[Any] = Field(default_factory=list)
    samples: int = Field(default=SAMPLES, ge=0, le=64)
    components: list[str] = Field(default_factory=list)
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not NAME.fullmatch(f"{name}.confirm"):
            raise ValueError(
                f"must be letters, digits, '.', '_' and '-' (it names a folder), but got {name!r}"
            )
        return name


class Rungs(Frozen):
    """Where trials stop to be compared: at equal fractions of the budget, so many at a time."""

    at: list[Fraction]
    keep: Fraction = 0.5
    cohort: Count | None = None

    @field_validator("at")
    @classmethod
    def _rise_to_the_whole(cls, at: list[float]) -> list[float]:
        whole = [*at, 1.0] if at and at[-1] != 1 else at
        if len(whole) < 2 or whole[0] <= 0 or any(a >= b for a, b in pairwise(whole)):
            raise ValueError(f"must be fractions that rise, as in [0.25, 0.5, 1], but got {at}")
        return whole

    @field_validator("keep")
    @classmethod
    def _keeps_some(cls, keep: float) -> float:
        if not 0 < keep < 1:
            raise ValueError(f"must be above 0 and below 1, but got {keep:g}")
        return keep

    @property
    def size(self) -> int:
        """How many trials are halved together: by default, so many that two reach the end."""
        return self.cohort or round(2 / self.keep ** (len(self.at) - 1))


class Limits(Frozen):
    """What all trials together may spend; those that have begun by then are finished.

    `hours` are of training, added up over workers.
    """

    hours: float | None = Field(default=None, gt=0)
    tokens: Count | None = None
    flops: Flops | None = None


class Confirm(Frozen):
    """How many winners are trained again beside the base, each with how many fresh seeds."""

    top: Count = 1
    seeds: Count = Field(default=5, ge=2, le=1000)


def read_rungs(written: list[Any] | dict[str, Any] | None) -> Rungs | None:
    """Read a list of fractions, or a mapping with `at`, `keep` and `cohort`.

    Raises:
        ConfigError: with the path below `rungs`.
    """
    if written is None:
        return None
    try:
        return parse(Rungs, {"at": written} if isinstance(written, list) else written)
    except ConfigError as error:
        raise error.within("rungs") from None
