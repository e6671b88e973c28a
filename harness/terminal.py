"""What commands share: options, and how they print."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Results = Annotated[
    Path | None,
    typer.Option("--results", help="Where results are kept.", envvar="ABLATE_RESULTS"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def console(stderr: bool = False) -> "Console":
    """Return what draws on stdout, or on stderr."""
    from rich.console import Console

    return Console(stderr=stderr)


def echo(*parts: "RenderableType | dict[str, Any] | list[Any]") -> None:
    """Print lines, JSON and drawings to stdout."""
    for part in parts:
        if isinstance(part, dict | list):
            print(json.dumps(part, indent=2, allow_nan=False, default=str))
        elif isinstance(part, str):
            print(part)
        else:
            console().print(part)
