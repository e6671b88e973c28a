"""Names of parameters that fit in a table: the end of the path that tells each from the others."""

from collections.abc import Iterable

from harness.analysis.study.objectives import Definition

PREFIX = "params."


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return of each dotted name the shortest end that no other one has."""
    paths = [name.split(".") for name in names]
    return {".".join(path): _shortest(path, paths) for path in paths}


def param_columns(definition: Definition) -> dict[str, str]:
    """Return the columns of the parameters in the table of trials, each with its short name."""
    return {f"{PREFIX}{name}": short for name, short in short_names(definition["space"]).items()}


def _shortest(path: list[str], paths: list[list[str]]) -> str:
    for length in range(1, len(path)):
        if sum(other[-length:] == path[-length:] for other in paths) == 1:
            return ".".join(path[-length:])
    return ".".join(path)
