"""An experiment as data: the keys of its YAML file, and what they resolve to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from harness.core.match import Axis
from harness.core.spec import VariantSpec
from harness.data.config import DataConfig
from harness.experiments.question.condition_keys import Conditions
from harness.experiments.question.evaluation_set import EvaluationSet
from harness.experiments.question.factors import MAX_RUNS, Combine, read_combine
from harness.experiments.question.initial_weights import InitialWeights
from harness.experiments.question.run_config import SAMPLES
from harness.experiments.question.seeds_config import Seeds, read_seeds
from harness.experiments.question.tuning_config import Tune
from harness.quantities import Fraction
from harness.schema import Frozen
from harness.training.config import TrainConfig

METRICS = ("val_bpb", "val_loss", "val_accuracy", "val_perplexity")
Patch = dict[str, Any]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


class Analysis(Frozen):
    """What is compared, and the chance of a false claim over a family of contrasts.

    The metric of a set of `evaluate` is written `SET/METRIC`. `practical` is the largest difference
    that makes none in practice; `auto` is what 5 % of compute buys, measured with the baseline.
    """

    metric: str = "val_bpb"
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    practical: Annotated[float, Field(gt=0)] | Literal["auto", "none"] = "none"


class Experiment(Conditions):
    """The keys of an experiment's file."""

    name: str
    question: str = ""
    base: Patch = Field(default_factory=dict)
    arms: dict[str, Patch | None] = Field(default_factory=dict)
    factors: dict[str, dict[str, Patch | None]] = Field(default_factory=dict)
    combine: Combine = "all"
    baseline: str | None = None
    contrasts: dict[str, str] = Field(default_factory=dict)
    seeds: int | list[int] | dict[str, Any] = 5
    replica: int = Field(default=0, ge=0)
    match: Literal["none"] | dict[str, Any] = Field(
        default_factory=lambda: {"train_flops": "1%", "by": "d_ff"}
    )
    tune: Any = None
    expect: dict[str, Literal["better", "worse", "practically equal"]] = Field(default_factory=dict)
    analysis: Analysis = Field(default_factory=Analysis)
    evaluate: list[Any] = Field(default_factory=list)
    samples: int = Field(default=SAMPLES, ge=0, le=64)
    components: list[str] = Field(default_factory=list)
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError(
                f"must be letters, digits, '.', '_' and '-' (it names a folder), but got {name!r}"
            )
        return name

    @field_validator("combine", mode="before")
    @classmethod
    def _is_a_way(cls, combine: object) -> object:
        return read_combine(combine)

    @field_validator("seeds", mode="before")
    @classmethod
    def _are_seeds(cls, seeds: object) -> object:
        if isinstance(seeds, Mapping):
            return seeds
        listed = seeds if isinstance(seeds, list) else [seeds]
        whole = all(type(seed) is int and 0 <= seed < 2**63 for seed in listed)
        if not listed or not whole or seeds == 0 or len(set(listed)) < len(listed):
            raise ValueError(
                f"must be a number of seeds or a list of distinct seeds, but got {seeds!r}"
            )
        n_seeds = seeds if isinstance(seeds, int) else len(listed)
        if n_seeds > MAX_RUNS:
            raise ValueError(f"must be at most {MAX_RUNS} seeds")
        return seeds

    @field_validator("match", mode="before")
    @classmethod
    def _is_match(cls, match: object) -> object:
        if match != "none" and not isinstance(match, Mapping):
            raise ValueError(
                f"must be `none` or what to match, as in {{params: 1%}}, but got {match!r}"
            )
        return match

    @property
    def seed_list(self) -> list[int]:
        """The seeds that every arm is trained with, at first."""
        return list(read_seeds(self.seeds).first)


class MatchOptions(Frozen):
    """The mapping under `match`: a tolerance for one axis, and what is adjusted."""

    train_flops: Fraction | None = None
    params: Fraction | None = None
    active_params: Fraction | None = None
    non_embedding_params: Fraction | None = None
    kv_bytes: Fraction | None = None
    by: str = "d_ff"


@dataclass(frozen=True)
class Match:
    """What is made equal between arms, by changing which dimension, and how nearly."""

    axis: Axis
    tolerance: float
    by: str


@dataclass(frozen=True)
class Arm:
    """A named change to the base, resolved; `levels` names its level of each factor."""

    name: str
    changes: Patch
    variant: VariantSpec
    data: DataConfig
    train: TrainConfig
    levels: dict[str, str]
    init_from: InitialWeights | None = None
    evaluate: Sequence[EvaluationSet] = ()


@dataclass(frozen=True)
class Resolved:
    """An experiment with every arm resolved and every reference checked."""

    experiment: Experiment
    arms: dict[str, Arm]
    baseline: str
    contrasts: dict[str, tuple[str, str]]
    match: Match | None
    component_folders: tuple[Path, ...]
    seeds: Seeds
    tune: Tune | None = None

    @property
    def is_staged(self) -> bool:
        """Whether what finished runs find may ask for more runs."""
        return self.tune is not None or self.seeds.rule is not None
