"""Commands that plan and train."""

from typing import Annotated, Any

import typer

from harness.commands.options import (
    CheckpointSeconds,
    File,
    Inline,
    Overrides,
    RunThreads,
    fail,
    stores,
)
from harness.store.checkpoints import SECONDS_BETWEEN_SAVES
from harness.terminal import Json, Results, console, echo


def plan(
    file: File, overrides: Overrides = None, results: Results = None, as_json: Json = False
) -> None:
    """Show arms, matched sizes, costs, time and what the seeds can resolve; train nothing."""
    from harness.analysis.verdicts.history import history_of
    from harness.experiments.planning.estimate import estimate_seconds
    from harness.experiments.planning.loading import load_experiment
    from harness.experiments.planning.plan_view import condition_view, plan_dict, plan_view
    from harness.experiments.planning.power import resolution

    runs, experiments = stores(results)
    main = load_experiment(file, overrides or [])
    shown: list[Any] = []
    for loaded in (main, *main.conditions):
        planned = loaded.plan(runs, loaded.device())
        about = planned, loaded.prepare_data(planned), estimate_seconds(planned)
        if loaded is main:
            history = history_of(planned.record, map(experiments.open, experiments.names()))
            can_show = {"resolution": resolution(planned.record, history)}
            shown.append(plan_dict(*about) | can_show if as_json else plan_view(*about, history))
        elif as_json:
            shown.append(plan_dict(*about))
        else:
            shown.append(condition_view(*about))
    echo(*([{**shown[0], "condition_plans": shown[1:]}] if as_json else shown))


def run(
    file: File,
    overrides: Overrides = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs at a time; default: one a core, or one a GPU.")
    ] = None,
    threads: RunThreads = 1,
    inline: Inline = False,
    checkpoint_seconds: CheckpointSeconds = SECONDS_BETWEEN_SAVES,
    results: Results = None,
) -> None:
    """Train what is missing and print the verdicts. Exit code 1 if a run failed or diverged."""
    from harness.analysis.effects.answers import main_and_conditions
    from harness.analysis.words.effects_view import effects_tables
    from harness.analysis.words.holds_view import holds_tables
    from harness.analysis.words.multiplier_view import multiplier_lines
    from harness.analysis.words.rendering import comparison_tables
    from harness.experiments.planning.loading import load_experiment
    from harness.experiments.running.run import HowToRun
    from harness.experiments.running.run_conditions import run_file

    runs, experiments = stores(results)
    how = HowToRun(workers, threads, inline, checkpoint_seconds)
    loaded, n_failed = load_experiment(file, overrides or []), 0
    name = loaded.resolved.experiment.name
    for outcome in run_file(loaded, runs, experiments, how, console()):
        n_failed += outcome.n_failed
        if outcome.plan.record["name"] == name:
            tables = experiments.open(name)
            echo(*comparison_tables(outcome.comparison, outcome.plan.record))
            echo(*effects_tables(tables.plan, tables.runs))
    under = main_and_conditions(experiments.open(name), experiments)
    echo(*holds_tables(*under), *multiplier_lines(*under))
    if n_failed:
        undone = f"{n_failed} runs failed, diverged or were stopped"
        fail(f"{undone}; the same command tries them again", 1)


def train(
    what: Annotated[str, typer.Argument(help="An experiment's YAML file, or a preset.")],
    overrides: Overrides = None,
    arm: Annotated[
        str | None, typer.Option(help="Which arm of the file; default: its baseline.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, batches and dropout.")] = 0,
    threads: RunThreads = 1,
    checkpoint_seconds: CheckpointSeconds = SECONDS_BETWEEN_SAVES,
    inline: Inline = False,
    results: Results = None,
    as_json: Json = False,
) -> None:
    """Train a single run without an experiment; it is kept, found and taken up like any other."""
    from harness.experiments.running.execution import Execution
    from harness.experiments.running.single import (
        load_single,
        single_dict,
        single_view,
        train_single,
    )
    from harness.store.status import Status

    runs, _ = stores(results)
    loaded = load_single(what, overrides or [], seed)
    how = Execution(loaded.device(), threads, checkpoint_seconds)
    attempt = train_single(loaded, arm, runs, how, inline, console(stderr=as_json))
    if attempt.status is not Status.DONE:
        fail(f"the run {attempt.status}; the same command tries it again", 1)
    echo(single_dict(attempt) if as_json else single_view(attempt))
