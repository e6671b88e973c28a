"""`ablate search`: one command; nothing heavy is imported before it is called."""

from pathlib import Path
from typing import Annotated

import typer

from harness.store.checkpoints import SECONDS_BETWEEN_SAVES
from harness.terminal import Json, Results, console, echo


def search(
    file: Annotated[Path, typer.Argument(help="A search's YAML file.", show_default=False)],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Changes to the file, such as train.budget.tokens=100k trials=20."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show the space, what is feasible and the time; no more.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make Optuna's storage again from the trials.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trials at a time; default: one a core, or one a GPU.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each trial.")] = 1,
    inline: Annotated[
        bool, typer.Option("--inline", help="Train in this process, one by one, for a debugger.")
    ] = False,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="Seconds between checkpoints.")
    ] = SECONDS_BETWEEN_SAVES,
    results: Results = None,
    as_json: Json = False,
) -> None:
    """Search a space of configurations, and confirm the winners. The same command goes on."""
    from harness.experiments.running.run import HowToRun
    from harness.search.question import load_search
    from harness.search.run import rebuild_view, run_search
    from harness.search.words import plan_lines, planned, searched_dict, searched_view
    from harness.store.root import results_root
    from harness.store.runs import RunStore

    asked, store = load_search(file, overrides or []), RunStore(results_root(results))
    if plan:
        found = planned(asked, store, workers)
        echo(found if as_json else "\n".join(plan_lines(found)))
    elif rebuild:
        n_trials = rebuild_view(asked, store)
        echo({"trials": n_trials} if as_json else f"made again, with {n_trials} trials")
    else:
        how = HowToRun(workers, threads, inline, checkpoint_seconds)
        done = run_search(asked, store, how, console(stderr=as_json))
        echo(searched_dict(asked, done) if as_json else searched_view(asked, done))
