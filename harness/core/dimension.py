"""What matching may change of a variant: one of its sizes, or a whole number among the options."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from harness.core.registry import ComponentSpec
from harness.core.slots import PER_LAYER
from harness.core.spec import VariantSpec
from harness.errors import ConfigError, unknown

WIDTHS = ("d_ff", "d_model")
SIZES = (*WIDTHS, "n_layers")
FRIENDLY = (8, 4, 2, 1)
"""Steps of widths, tried in this order: matrix products are fast at multiples of 8."""


class Dimension:
    """`d_ff`, `d_model`, `n_layers`, or `SLOT.OPTION` of every component that has such an option.

    Raises:
        ConfigError: it is none of these.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        slot, _, self.option = name.partition(".")
        if name not in SIZES and (slot not in PER_LAYER or not self.option):
            known = [*SIZES, *(f"{slot}.OPTION" for slot in PER_LAYER)]
            raise ConfigError.at((), unknown("dimension", name, known))
        self.slot = slot if self.option else None

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """By how much it changes: as coarsely as the match allows."""
        return FRIENDLY if self.name in WIDTHS else (1,)

    def read(self, spec: VariantSpec) -> int:
        """Return its value in a variant.

        Raises:
            ConfigError: no component of the slot has such an option, or it is no whole number.
        """
        if self.slot is None:
            return int(getattr(spec.dims, self.name))
        values = {c.options[self.option] for c in self._having(spec)}
        if not values:
            names = sorted({component.name for component in getattr(spec, self.slot)})
            missing = f"{' and '.join(names)} has no option {self.option!r}"
            raise ConfigError.at((self.slot,), f"{missing} that `match` could adjust")
        if len(values) > 1 or type(first := values.pop()) is not int:
            must = f"{self.option} must be one whole number to be adjusted by `match`"
            raise ConfigError.at((self.slot,), must)
        return first

    def write(self, spec: VariantSpec, value: int) -> VariantSpec:
        """Return the variant with another value.

        Raises:
            ConfigError: the dimension or the option does not take it.
        """
        if self.slot is None:
            return spec.resized(**{self.name: value})
        registry = PER_LAYER[self.slot]
        having = self._having(spec)
        cycle = tuple(
            registry.resolve({**c.to_dict(), self.option: value}, spec.dims) if c in having else c
            for c in getattr(spec, self.slot)
        )
        changed: dict[str, Any] = {self.slot: cycle}
        return replace(spec, **changed)

    def is_set_by(self, changes: Mapping[str, Any]) -> bool:
        """Whether an arm's changes to the variant set it themselves."""
        if self.slot is None:
            return self.name in changes
        written = changes.get(self.slot)
        listed = written if isinstance(written, list) else [written]
        return any(isinstance(one, Mapping) and self.option in one for one in listed)

    def _having(self, spec: VariantSpec) -> list[ComponentSpec]:
        assert self.slot is not None
        return [c for c in getattr(spec, self.slot) if self.option in c.options]
