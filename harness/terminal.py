"""What commands share: options, and how they print."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

Results = Annotated[
    Path | None,
    typer.Option("--results", help="Where results are kept.", envvar="ABLATE_RESULTS"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def console(stderr: bool = False) -> "Console":
    """Return what draws on stdout, or on stderr."""
    from rich.console import Console

    return Console(stderr=stderr)


def plain_table(title: str | None = None, *, show_header: bool = True) -> "Table":
    """Return an empty table as all commands draw them: a bold title on the left, a rule, no box."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    return Table(
        title=None if title is None else Text(title, style="bold"),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        show_header=show_header,
    )


def echo(*parts: "RenderableType | dict[str, Any] | list[Any]") -> None:
    """Print lines, JSON and drawings to stdout."""
    for part in parts:
        if isinstance(part, dict | list):
            print(json.dumps(part, indent=2, allow_nan=False, default=str))
        elif isinstance(part, str):
            print(part)
        else:
            console().print(part)
