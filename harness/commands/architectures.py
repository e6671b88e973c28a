"""Commands about architectures: what there is, what it costs, what is inside."""

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.options import stores
from harness.errors import AblateError
from harness.terminal import Json, Results, echo


def components(
    slot: Annotated[str | None, typer.Argument(help="Only this slot.")] = None,
    folder: Annotated[
        list[Path] | None, typer.Option("--folder", help="A folder of components of your own.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List every component with its options and cost; of one slot, with meanings and sources."""
    from harness.core.catalogue import catalogue
    from harness.core.registry import use_folder
    from harness.core.slots import SLOTS
    from harness.errors import unknown
    from harness.experiments.showing.components_view import components_view

    for own in folder or []:
        use_folder(own)
    if slot is not None and slot not in SLOTS:
        raise AblateError(unknown("slot", slot, SLOTS))
    entries = catalogue(None if slot is None else [slot])
    echo(entries if as_json else components_view(entries, detailed=slot is not None))


def cost(
    changes: Annotated[
        list[str] | None, typer.Argument(help="Changes to the variant: attention=mqa n_layers=2")
    ] = None,
    preset: Annotated[str, typer.Option(help="The variant to begin with.")] = "tiny",
    seq_len: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens of the sequence that is priced. [default: 256]"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Price a variant: parameters, FLOPs and cache bytes, without allocating weights."""
    from harness.experiments.showing.pricing import price, price_table

    priced = price(preset, changes or [], seq_len)
    echo(priced if as_json else price_table(priced))


def show(
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            help="Changes to the variant (attention=mqa n_layers=2), or a run: "
            "EXPERIMENT/ARM/SEED, or an id's beginning."
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="The variant to begin with.")] = "tiny",
    results: Results = None,
    as_json: Json = False,
) -> None:
    """Show the inside of a variant (modules, parameters, one forward pass), or a finished run."""
    from harness.experiments.showing.anatomy import anatomy, anatomy_view
    from harness.experiments.showing.find_run import find_run, is_run
    from harness.experiments.showing.run_view import describe_run, run_view

    runs, experiments = stores(results)
    if changes and "=" not in changes[0] and is_run(changes[0], runs):
        if changes[1:]:
            raise AblateError(f"a run is shown as it is, but got {' '.join(changes[1:])}")
        described = describe_run(find_run(changes[0], runs, experiments))
        echo(described if as_json else run_view(described))
        return
    found = anatomy(preset, changes or [])
    echo(found if as_json else anatomy_view(found))
