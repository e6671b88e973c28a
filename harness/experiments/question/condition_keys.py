"""The keys of an experiment's file that ask the same question again under other conditions."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from harness.schema import Frozen

_SHARE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)x")
LARGEST_SHARE = 1000


def read_share(value: object) -> float:
    """Read `0.5x`: a share of the budget that the file gives.

    Raises:
        ValueError: it is no such number.
    """
    found = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    share = float(found[1]) if found else 0.0
    if not 0 < share <= LARGEST_SHARE:
        raise ValueError(f"must be a share of the budget such as 0.5x, but got {value!r}")
    return share


Share = Annotated[float, BeforeValidator(read_share)]


class Conditions(Frozen):
    """Designs, budgets, scales and fresh seeds under which the question is asked again."""

    designs: dict[str, Any] = Field(default_factory=dict)
    budgets: list[Share] = Field(default_factory=list)
    scales: dict[str, dict[str, Any]] = Field(default_factory=dict)
    parametrization: Literal["standard", "mup"] = "standard"
    confirm: int = Field(default=0, le=1000)

    @field_validator("designs")
    @classmethod
    def _are_matches(cls, designs: dict[str, Any]) -> dict[str, Any]:
        for name, match in designs.items():
            if match != "none" and not isinstance(match, Mapping):
                wanted = "must be what `match` would say: `none`, or as in {params: 1%}"
                raise ValueError(f"{name} {wanted}, but got {match!r}")
        return designs

    @field_validator("budgets")
    @classmethod
    def _are_distinct(cls, budgets: list[float]) -> list[float]:
        if len(set(budgets)) < len(budgets):
            raise ValueError(f"must be distinct, but got {budgets}")
        return budgets

    @field_validator("confirm")
    @classmethod
    def _is_enough(cls, confirm: int) -> int:
        if confirm and confirm < 4:
            raise ValueError(f"must be at least 4 fresh seeds, or 0 for none, but got {confirm}")
        return confirm

    @model_validator(mode="after")
    def _names_differ(self) -> "Conditions":
        names = [*self.designs, *(share_name(one) for one in self.budgets), *self.scales, "confirm"]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two conditions are named {name!r}; rename one")
        return self


def share_name(share: float) -> str:
    """Write a share as it is named: `0.5x`."""
    return f"{share:g}x"
