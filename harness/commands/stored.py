"""Commands about what is stored: listing it, freeing its space, opening it in a browser."""

import sys
from typing import Annotated, Literal

import typer

from harness.commands.options import stores
from harness.errors import AblateError
from harness.terminal import Json, Results, echo


def results(
    name: Annotated[
        str | None, typer.Argument(help="Show the runs of this experiment, or a study's trials.")
    ] = None,
    csv: Annotated[
        Literal[
            "runs",
            "curves",
            "positions",
            "documents",
            "layers",
            "arms",
            "contrasts",
            "trials",
            "front",
        ]
        | None,
        typer.Option(help="Print a tidy table of it as CSV, with every column."),
    ] = None,
    latex: Annotated[
        Literal["arms", "contrasts", "trials", "front"] | None,
        typer.Option(help="Print a table of it for LaTeX (booktabs), as the report shows it."),
    ] = None,
    root: Results = None,
    as_json: Json = False,
) -> None:
    """List the stored experiments and studies, or the runs or trials of one."""
    from harness.analysis.study.read import Study
    from harness.experiments.showing.listing import experiments_view, runs_view
    from harness.experiments.showing.named import named
    from harness.experiments.showing.studies import studies_view, study_view
    from harness.experiments.showing.tidy import tidy
    from harness.store.studies import StudyStore

    runs, experiments = stores(root)
    if name is None:
        if csv or latex:
            asked = f"--csv {csv}" if csv else f"--latex {latex}"
            raise AblateError(f"{asked} is of one experiment or study: give its name")
        views = [experiments_view(experiments)]
        if StudyStore(experiments.root).names():
            views.append(studies_view(StudyStore(experiments.root)))
        rows = [row for view in views for row in view.data]
        echo(*([rows] if as_json else (view.table for view in views)))
        return
    found = named(name, experiments)
    if csv or latex:
        for text in tidy(found, runs, csv, latex):
            print(text, end="")
        return
    view = study_view(found) if isinstance(found, Study) else runs_view(found)
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
