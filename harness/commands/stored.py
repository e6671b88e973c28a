"""Commands about what is stored: listing it, freeing its space, opening it in a browser."""

import sys
from typing import Annotated, Literal

import typer

from harness.commands.options import stores
from harness.errors import AblateError
from harness.terminal import Json, Results, echo


def results(
    name: Annotated[str | None, typer.Argument(help="Show the runs of this experiment.")] = None,
    csv: Annotated[
        Literal["runs", "curves", "positions", "documents", "layers", "arms", "contrasts"] | None,
        typer.Option(help="Print a tidy table of it as CSV, with every column."),
    ] = None,
    latex: Annotated[
        Literal["arms", "contrasts"] | None,
        typer.Option(help="Print a table of it for LaTeX (booktabs), as the report shows it."),
    ] = None,
    root: Results = None,
    as_json: Json = False,
) -> None:
    """List the stored experiments, or the runs of one."""
    from harness.experiments.showing.listing import experiments_view, runs_view, tidy_csv
    from harness.report.exports import latex_table

    runs, experiments = stores(root)
    if csv or latex:
        if name is None:
            asked = f"--csv {csv}" if csv else f"--latex {latex}"
            raise AblateError(f"{asked} is of one experiment: give its name")
        tables = experiments.open(name)
        if csv:
            print(tidy_csv(tables, runs, csv), end="")
        if latex:
            print(latex_table(tables, latex), end="")
        return
    view = experiments_view(experiments) if name is None else runs_view(experiments.open(name))
    echo(view.data if as_json else view.table)


def clean(
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Also finished runs that no experiment holds.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; else only say which.")] = False,
    results: Results = None,
) -> None:
    """Free space: remove attempts that failed, diverged or stopped halfway."""
    from harness.experiments.showing.clean import removable
    from harness.experiments.showing.listing import removable_table

    runs, experiments = stores(results)
    found = list(removable(runs, experiments, orphans))
    echo(removable_table(found))
    for item in found if yes else []:
        item.attempt.remove()
    if found:
        echo("removed" if yes else "nothing was removed: add --yes to remove these")


def dashboard(
    results: Results = None,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8501,
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser.")] = False,
) -> None:
    """Open the dashboard in a browser; it listens on this machine only and sends nothing out."""
    from harness.dashboard_process import serve_dashboard

    sys.exit(serve_dashboard(results, port, headless))
