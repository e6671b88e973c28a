"""Commands that start a file from one that works."""

from pathlib import Path
from typing import Annotated

import typer

from harness.terminal import echo


def new_experiment(
    name: Annotated[str, typer.Argument(help="Its name.")],
    folder: Annotated[Path, typer.Option(help="Where the file goes.")] = Path(
        "experiments/ablations"
    ),
) -> None:
    """Write a small experiment that runs as it is, to be edited."""
    from harness.experiments.files.scaffold import new_experiment as write

    path = write(name, folder)
    echo(f"{path}\nablate plan {path}")


def new_component(
    component: Annotated[str, typer.Argument(help="Slot and name, such as attention/my_idea.")],
    folder: Annotated[Path, typer.Option(help="The folder that holds the slot's folder.")] = Path(
        "variants"
    ),
) -> None:
    """Copy the slot's baseline component under a new name, to be changed."""
    from harness.experiments.files.scaffold import new_component as write

    where = "" if folder == Path("variants") else f" --folder {folder}"
    slot = component.partition("/")[0]
    echo(f"{write(component, folder)}\nablate components {slot}{where}")
