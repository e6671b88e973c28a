"""Errors a user can mend, each as one clear message.

`assert` is for what cannot happen; everything here is for what users do.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

Path = tuple[str | int, ...]


class AblateError(Exception):
    """What a user can mend. The command line prints it without a traceback and exits with 2."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a configuration: where (a path of keys) and what."""

    path: Path
    message: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}" if self.path else self.message


class ConfigError(AblateError):
    """Everything wrong with a configuration, all at once."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems

    @classmethod
    def at(cls, path: Path, message: str) -> Self:
        """Build the error of a single problem."""
        return cls(Problem(path, message))

    def within(self, *prefix: str | int) -> Self:
        """Return the same error seen from a mapping that holds this one under `prefix`."""
        return type(self)(*(replace(p, path=(*prefix, *p.path)) for p in self.problems))


class Diverged(AblateError):
    """The loss or a gradient became infinite or NaN: an outcome of the run, not a fault of ours."""


def dotted(path: Path) -> str:
    """Write a path as people do: `arms.mqa.variant.attention`."""
    return ".".join(map(str, path))


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """Say that `name` is no such `kind`, with the nearest spelling and everything there is."""
    known = sorted(known)
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(known) or 'none'}."
