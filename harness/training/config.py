"""How to train, as data: the same for every arm of an ablation unless the arm is about it."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from harness.core.registry import ComponentSpec, Registry
from harness.errors import ConfigError, Problem
from harness.quantities import Count
from harness.schema import Frozen, parse
from harness.training.budget import Budget
from harness.training.optimizers import OPTIMIZER
from harness.training.schedules import SCHEDULE

CHOSEN: dict[str, Registry[Any]] = {"optimizer": OPTIMIZER, "schedule": SCHEDULE}
DEFAULTS = {"optimizer": "adamw", "schedule": "cosine"}


class TrainConfig(Frozen):
    """Budget, batches, optimizer, schedule and how often to evaluate.

    `grad_clip` is the largest global gradient norm; `evaluations` is the number of evaluations,
    evenly spaced over the budget, the last one at its end. `gradient_checkpointing` computes the
    inside of each block twice instead of keeping it: less memory, more time, the same result up to
    rounding. `compile` lets torch compile the model without its head. A batch may be computed in
    `micro_batches` parts, one after the other, for less memory: a step stays one update, and the
    gradients are those of the whole batch, but for losses over a batch, such as the balance of
    experts.
    """

    budget: Budget
    batch_size: Count = Field(default=4, le=2**20)
    seq_len: Count = 128
    optimizer: ComponentSpec
    schedule: ComponentSpec
    grad_clip: float = Field(default=1.0, gt=0)
    evaluations: Count = 5
    gradient_checkpointing: bool = False
    compile: bool = False
    micro_batches: Count = 1

    @model_validator(mode="after")
    def _equal_parts(self) -> "TrainConfig":
        if self.batch_size % self.micro_batches:
            parts = f"micro_batches ({self.micro_batches}) must divide batch_size"
            raise ValueError(f"{parts} ({self.batch_size})")
        return self

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "TrainConfig":
        """Read what YAML says of training.

        Raises:
            ConfigError: every unknown key and wrong value, with its path.
        """
        problems: list[Problem] = []
        chosen: dict[str, Any] = {}
        for key, default in DEFAULTS.items():
            given = data.get(key, default)
            if isinstance(given, Mapping):  # without a name it holds options of the default
                given = {"name": default, **given}
            try:
                chosen[key] = CHOSEN[key].resolve(given)
                CHOSEN[key].build(chosen[key])  # refuses options that contradict each other
            except ConfigError as error:
                problems += error.within(key).problems
                chosen[key] = ComponentSpec(default)
        try:
            config = parse(cls, {**data, **chosen})
        except ConfigError as error:
            raise ConfigError(*problems, *error.problems) from None
        if problems:
            raise ConfigError(*problems)
        return config

    def to_dict(self) -> dict[str, Any]:
        """Write everything, in the form that `read` takes."""
        written = self.model_dump(exclude={"budget", *CHOSEN})
        written |= {key: getattr(self, key).to_dict() for key in CHOSEN}
        return {"budget": self.budget.model_dump(exclude_none=True), **written}

    def identity(self) -> dict[str, Any]:
        """Write what differs from the defaults, so that adding an option changes nothing."""
        written = self.model_dump(exclude={"budget", *CHOSEN}, exclude_defaults=True)
        written |= {key: CHOSEN[key].non_default(getattr(self, key)) for key in CHOSEN}
        return {"budget": self.budget.model_dump(exclude_none=True), **written}
