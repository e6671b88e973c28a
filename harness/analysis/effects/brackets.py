"""Whether arms with experts stand between the dense arms that they should be compared with."""

from collections.abc import Iterator

from harness.analysis.units import count
from harness.store.tables import Plan

ALIKE = 0.05
"""Relative difference up to which two numbers of parameters are the same size."""


def bracket_lines(plan: Plan) -> Iterator[str]:
    """Name the dense arms that are missing beside each arm with experts.

    An arm with experts lies between a dense one with as many parameters as a token meets in it and
    a dense one with as many as it has: better than the first says that experts help, and how near
    to the second says what they save.
    """
    sizes = {
        name: (arm["cost"].get("params_active", arm["cost"]["params"]), arm["cost"]["params"])
        for name, arm in plan["arms"].items()
    }
    dense = [total for active, total in sizes.values() if active == total]
    for name, (active, total) in sizes.items():
        if active == total:
            continue
        wanted = {
            f"as many parameters as a token meets ({count(active)})": active,
            f"as many as there are ({count(total)})": total,
        }
        missing = [
            words
            for words, size in wanted.items()
            if not any(abs(one / size - 1) <= ALIKE for one in dense)
        ]
        if missing:
            yield f"{name} has experts, and no dense arm has {', and none '.join(missing)}"
