"""How to train, as data: the same for every arm of an ablation unless the arm is about it."""

from collections.abc import Mapping
from itertools import pairwise, product
from typing import Annotated, Any

from pydantic import Field, model_validator

from harness.core.registry import ComponentSpec, Registry
from harness.errors import ConfigError, Problem
from harness.quantities import Count
from harness.schema import Frozen, parse
from harness.training.budget import Budget
from harness.training.optimizers import OPTIMIZER
from harness.training.schedules import SCHEDULE
from harness.training.stages import Stage

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
    experts. With `ema`, what is evaluated and kept is an exponential moving average of the weights,
    of that decay. `stages` have smaller batches or shorter sequences for the first parts of the
    budget.
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
    ema: Annotated[float, Field(ge=0, lt=1)] | None = None
    stages: list[Stage] = Field(default_factory=list)

    @model_validator(mode="after")
    def _stages_fit(self) -> "TrainConfig":
        ends = [0.0, *(stage.until for stage in self.stages)]
        if not all(a < b for a, b in pairwise(ends)):
            raise ValueError(f"stages must end one after the other, but got {ends[1:]}")
        for stage, (key, whole) in product(self.stages, self._whole().items()):
            part = getattr(stage, key) or whole
            if whole % part:
                raise ValueError(f"{key} of a stage ({part}) must divide {key} ({whole})")
        return self

    @model_validator(mode="after")
    def _equal_parts(self) -> "TrainConfig":
        if self.batch_size % self.micro_batches:
            parts = f"micro_batches ({self.micro_batches}) must divide batch_size"
            raise ValueError(f"{parts} ({self.batch_size})")
        return self

    def stage(self, spent: float) -> Stage | None:
        """Return the stage when a fraction of the budget is spent, None after the last."""
        return next((stage for stage in self.stages if spent < stage.until), None)

    @property
    def tokens_per_step(self) -> int:
        """Tokens of an update, after the last stage."""
        return self.batch_size * self.seq_len

    @property
    def lengths(self) -> set[int]:
        """The lengths of the sequences of all stages, and of those after them."""
        return {self.seq_len, *(stage.seq_len or self.seq_len for stage in self.stages)}

    def _whole(self) -> dict[str, int]:
        return {"batch_size": self.batch_size, "seq_len": self.seq_len}

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
