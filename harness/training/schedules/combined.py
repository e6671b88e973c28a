"""Several schedules, one after the other."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field

from harness.errors import ConfigError
from harness.schema import Frozen
from harness.training.schedules import SCHEDULE, Schedule


class Part(Frozen):
    """A schedule, the fraction of the budget at which it ends, and a factor on all of it."""

    schedule: str | dict[str, Any]
    until: Annotated[float, Field(gt=0, le=1)]
    peak: Annotated[float, Field(gt=0, le=1)] = 1.0


_EXAMPLE = [
    {"schedule": {"name": "cosine", "final": 0.5}, "until": 0.5},
    {"schedule": {"name": "linear", "warmup": 0.0}, "until": 1.0, "peak": 0.5},
]


@SCHEDULE.register("combined")
class Combined(Schedule):
    """Each part runs its schedule as if its share of the budget were a whole one.

    Options:
        parts: In order, each with `schedule` (a name, or a mapping with `name` and options),
            `until` (the fraction of the budget at which it ends; the last at 1) and `peak` (a
            factor on all of it, 1 by default).

    Source:
        Loshchilov and Hutter 2016, "SGDR", arXiv:1608.03983, for restarts; tlama-core's
        `get_combined_lr_scheduler`, whose parts have a start and an end: gaps and overlaps, which
        it refuses, cannot be written here.
    """

    def __init__(
        self, *, parts: Annotated[list[Part], Field(min_length=1, examples=[_EXAMPLE])]
    ) -> None:
        self.parts = [Part.model_validate(part) for part in parts]
        ends = [0.0, *(part.until for part in self.parts)]
        if not all(a < b for a, b in pairwise(ends)):
            raise ValueError(
                f"parts overlap: each must end after the one before, not at {ends[1:]}"
            )
        if ends[-1] != 1:
            raise ValueError(f"parts leave a gap: the last must end at 1, not at {ends[-1]:g}")
        self.bounds = list(pairwise(ends))
        self.schedules = [SCHEDULE.build(SCHEDULE.resolve(part.schedule)) for part in self.parts]

    @classmethod
    def complete(cls, options: Mapping[str, Any], dims: object) -> dict[str, Any]:
        """Check each schedule, and write it with what differs from its defaults."""
        parts = []
        for i, part in enumerate(options["parts"]):
            try:
                spec = SCHEDULE.resolve(part["schedule"])
            except ConfigError as error:
                raise error.within("parts", i, "schedule") from None
            parts.append({**part, "schedule": SCHEDULE.non_default(spec)})
        return {"parts": parts}

    def factor(self, spent: float) -> float:
        """Return the factor of the part that is running."""
        i = next(i for i, (_, end) in enumerate(self.bounds) if spent < end or end == 1)
        start, end = self.bounds[i]
        return self.parts[i].peak * self.schedules[i].factor((spent - start) / (end - start))
