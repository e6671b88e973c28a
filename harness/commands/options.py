"""Arguments and options that commands share, and the stores that they open."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from harness.store.experiments import ExperimentStore
    from harness.store.runs import RunStore

File = Annotated[Path, typer.Argument(help="An experiment's YAML file.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="Changes to the file, such as train.budget.tokens=100k seeds=3."),
]
RunThreads = Annotated[
    int, typer.Option(min=1, help="Threads of each run; another number changes the last bits.")
]
Inline = Annotated[
    bool, typer.Option("--inline", help="Train in this process, one by one, for a debugger.")
]
CheckpointSeconds = Annotated[
    float,
    typer.Option(
        min=0,
        help="Seconds between checkpoints, from which a run that was stopped goes on; 0 saves at "
        "every measurement, of which there are about a hundred.",
    ),
]


def stores(root: Path | None) -> "tuple[RunStore, ExperimentStore]":
    """Open what `--results` names, or the default."""
    from harness.store.experiments import ExperimentStore
    from harness.store.root import results_root
    from harness.store.runs import RunStore

    path = results_root(root)
    return RunStore(path), ExperimentStore(path)


def fail(message: str, code: int) -> NoReturn:
    """Say on stderr why there is nothing, or not all, and end."""
    print(message, file=sys.stderr)
    sys.exit(code)
