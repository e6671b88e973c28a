"""The command line: each command reads its arguments, calls one function and prints.

Nothing heavy is imported before a command needs it: `ablate --help` must not wait for torch.
"""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.bench.commands import bench
from harness.errors import AblateError
from harness.search.commands import search
from harness.store.checkpoints import SECONDS_BETWEEN_SAVES
from harness.terminal import Json, Results, console, echo

if TYPE_CHECKING:
    from harness.store.experiments import ExperimentStore
    from harness.store.runs import RunStore

app = typer.Typer(
    help="Architecture ablations for small Qwen3-style language models, with verdicts that hold.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
new = typer.Typer(
    help="Start an experiment or a component from a file that works.", no_args_is_help=True
)
app.add_typer(new, name="new")
app.add_typer(bench, name="bench")
app.command(rich_help_panel="Experiments")(search)

INTERRUPTED = 130  # the exit code that shells give to Ctrl-C

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


@app.command(rich_help_panel="Experiments")
def plan(
    file: File, overrides: Overrides = None, results: Results = None, as_json: Json = False
) -> None:
    """Show arms, matched sizes, costs, time and what the seeds can resolve; train nothing."""
    from harness.analysis.verdicts.history import history_of
    from harness.experiments.planning.estimate import estimate_seconds
    from harness.experiments.planning.loading import load_experiment
    from harness.experiments.planning.plan_view import condition_view, plan_dict, plan_view
    from harness.experiments.planning.power import resolution

    runs, experiments = _stores(results)
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


@app.command(rich_help_panel="Experiments")
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

    runs, experiments = _stores(results)
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
        _fail(f"{undone}; the same command tries them again", 1)


@app.command(rich_help_panel="Experiments")
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

    runs, _ = _stores(results)
    loaded = load_single(what, overrides or [], seed)
    how = Execution(loaded.device(), threads, checkpoint_seconds)
    attempt = train_single(loaded, arm, runs, how, inline, console(stderr=as_json))
    if attempt.status is not Status.DONE:
        _fail(f"the run {attempt.status}; the same command tries it again", 1)
    echo(single_dict(attempt) if as_json else single_view(attempt))


@app.command(rich_help_panel="Experiments")
def compare(
    what: Annotated[
        str,
        typer.Argument(
            help="An experiment's name or file; or a CSV of runs made elsewhere, with the columns "
            "arm, seed and a metric."
        ),
    ],
    until: Annotated[
        Literal["step", "tokens", "flops", "seconds"] | None,
        typer.Option(help="Also say after how much of this an arm is where the other one ends."),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Of a CSV: the column of the metric.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Of a CSV: the arm to compare with; default: its first.")
    ] = None,
    maximise: Annotated[
        bool, typer.Option("--maximise", help="Of a CSV: more of the metric is better.")
    ] = False,
    alpha: Annotated[float, typer.Option(min=1e-6, max=0.5, help="Of a CSV.")] = 0.05,
    practical: Annotated[
        float | None, typer.Option(min=0, help="Of a CSV: the largest difference that makes none.")
    ] = None,
    results: Results = None,
    as_json: Json = False,
) -> None:
    """Print the verdicts of an experiment from its stored tables, or of runs made elsewhere."""
    from harness.analysis.effects.answers import main_and_conditions
    from harness.analysis.effects.speedup import speedup_lines
    from harness.analysis.verdicts.elsewhere import Asked
    from harness.analysis.words.effects_view import effects_dict, effects_tables
    from harness.analysis.words.holds_view import holds_dict, holds_tables
    from harness.analysis.words.multiplier_view import multiplier_lines, multipliers_dict
    from harness.analysis.words.rendering import comparison_tables
    from harness.analysis.words.summary import comparison_dict
    from harness.experiments.planning.named_experiment import open_named

    experiments = _stores(results)[1]
    asked = Asked(metric, baseline, maximise, alpha, practical)
    tables = open_named(what, experiments, asked)
    if until and tables.curves.empty:
        raise AblateError(f"--until needs learning curves, of which {what} has none")
    under = main_and_conditions(tables, experiments)
    comparison = under[0].comparison
    pairs = [(contrast.arm, contrast.baseline) for contrast in comparison.contrasts]
    measured = tables.plan["metric"].rpartition("/")[2]  # a set is scored at the end alone
    sooner = list(speedup_lines(pairs, tables.curves, measured, until)) if until else []
    if as_json:
        found = comparison_dict(comparison, tables.plan) | holds_dict(*under)
        found["latency"] = asdict(tables.latency) if tables.latency else None
        found |= (
            multipliers_dict(*under)
            | effects_dict(tables.plan, tables.runs)
            | ({"until": sooner} if until else {})
        )
        echo(found)
    else:
        by_factor = effects_tables(tables.plan, tables.runs)
        drawn = comparison_tables(comparison, tables.plan, tables.latency)
        echo(*drawn, *by_factor, *holds_tables(*under), *multiplier_lines(*under), *sooner)


@app.command(rich_help_panel="Experiments")
def validate(
    full: Annotated[
        bool, typer.Option("--full", help="More seeds, and 800 small runs for what never differs.")
    ] = False,
    component: Annotated[
        str | None,
        typer.Option(help="Only this one, such as attention/my_idea: contracts, leaks, itself."),
    ] = None,
    folder: Annotated[
        list[Path] | None, typer.Option("--folder", help="A folder of components of your own.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at a time.")] = None,
    results: Results = None,
    as_json: Json = False,
) -> None:
    """Ask questions with known answers. Exit code 1 if one comes out opposite.

    What has been trained is kept under `validation` in the results, and not repeated.
    """
    from harness.core.registry import use_folder
    from harness.store.root import results_root
    from harness.validation.finding import Outcome
    from harness.validation.suite import Suite
    from harness.validation.view import findings_dict, findings_view

    for own in folder or []:
        use_folder(own)
    where = results_root(results) / "validation"
    suite = Suite(where, console(stderr=as_json), full, workers, tuple(folder or ()))
    found = list(suite.of_component(component) if component else suite.findings())
    echo(findings_dict(found) if as_json else findings_view(found))
    if any(one.outcome is Outcome.OPPOSITE for one in found):
        _fail("what is known was contradicted", 1)


@app.command(rich_help_panel="Experiments")
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

    runs, experiments = _stores(root)
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


@app.command(rich_help_panel="Experiments")
def report(
    name: Annotated[str, typer.Argument(help="An experiment's or a study's name.")],
    out: Annotated[
        Path | None, typer.Option(help="Where it goes; default: into the folder of its own.")
    ] = None,
    results: Results = None,
) -> None:
    """Write it as one HTML page that stands alone, and as Markdown with its charts beside it."""
    from harness.analysis.study.read import Study
    from harness.experiments.showing.named import named
    from harness.report.write import write_report

    experiments = _stores(results)[1]
    found = named(name, experiments)
    if isinstance(found, Study):
        from harness.search.reporting import write_study_report
        from harness.store.studies import StudyStore

        pages = write_study_report(StudyStore(experiments.root), name, out)
    else:
        pages = write_report(experiments, name, out)
    for path in pages:
        echo(str(path))


@app.command(rich_help_panel="Architectures")
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


@app.command(rich_help_panel="Architectures")
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


@app.command(rich_help_panel="Architectures")
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

    runs, experiments = _stores(results)
    if changes and "=" not in changes[0] and is_run(changes[0], runs):
        if changes[1:]:
            raise AblateError(f"a run is shown as it is, but got {' '.join(changes[1:])}")
        described = describe_run(find_run(changes[0], runs, experiments))
        echo(described if as_json else run_view(described))
        return
    found = anatomy(preset, changes or [])
    echo(found if as_json else anatomy_view(found))


@app.command("export", rich_help_panel="Hugging Face")
def export_command(
    what: Annotated[
        str, typer.Argument(help="A run (EXPERIMENT/ARM/SEED, or an id's beginning) or a preset.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where it goes: a new folder.")],
    changes: Annotated[
        list[str] | None, typer.Argument(help="Changes to a preset: vocab_size=32000 n_layers=2")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of a preset's initial weights.")] = 0,
    dtype: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="What the weights are written in.")
    ] = "float32",
    weights: Annotated[
        Literal["final", "best"],
        typer.Option(help="Of a run: where training ended, or its lowest held-out loss."),
    ] = "final",
    tokenizer: Annotated[
        bool, typer.Option("--tokenizer/--no-tokenizer", help="Write a run's tokenizer beside it.")
    ] = True,
    results: Results = None,
) -> None:
    """Write a run or a preset as a Qwen3 checkpoint for transformers and what reads its format."""
    import torch

    from harness.experiments.showing.exporting import plan_preset, plan_run
    from harness.experiments.showing.find_run import find_run, is_run

    runs, experiments = _stores(results)
    numbers = getattr(torch, dtype)
    if is_run(what, runs):
        if changes:
            raise AblateError(f"a run is exported as it is, but got {' '.join(changes)}")
        planned = plan_run(find_run(what, runs, experiments), folder, numbers, weights)
    else:
        planned = plan_preset(what, changes or [], seed, folder, numbers)
    echo(str(planned))
    planned.write(tokenizer)
    echo(f"transformers.AutoModelForCausalLM.from_pretrained({str(folder)!r})")


@app.command("import", rich_help_panel="Hugging Face")
def import_command(
    folder: Annotated[
        Path, typer.Argument(help="A folder with config.json and safetensors of Qwen3.")
    ],
    as_json: Json = False,
) -> None:
    """Check a Qwen3 checkpoint and say what it is here: its variant in YAML, and its cost."""
    from harness.experiments.showing.importing import checkpoint_view, describe_checkpoint

    found = describe_checkpoint(folder)
    echo(found if as_json else checkpoint_view(found))


@new.command("experiment")
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


@new.command("component")
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


@app.command(rich_help_panel="Experiments")
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

    runs, experiments = _stores(results)
    found = list(removable(runs, experiments, orphans))
    echo(removable_table(found))
    for item in found if yes else []:
        item.attempt.remove()
    if found:
        echo("removed" if yes else "nothing was removed: add --yes to remove these")


@app.command(rich_help_panel="Results")
def dashboard(
    results: Results = None,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8501,
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser.")] = False,
) -> None:
    """Open the dashboard in a browser; it listens on this machine only and sends nothing out."""
    from harness.dashboard_process import serve_dashboard

    sys.exit(serve_dashboard(results, port, headless))


def main() -> None:
    """Run the command line; a user's mistake is one message on stderr and exit code 2."""
    try:
        if app(standalone_mode=False) == INTERRUPTED:  # typer turns Ctrl-C into this value
            raise KeyboardInterrupt
    except AblateError as error:
        _fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted: what was finished is kept, the same command goes on", INTERRUPTED)
    except BrokenPipeError:
        sys.exit(1)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        _usage(error)


def _usage(error: Any) -> None:
    """Show a mistake in the command itself, as typer does."""
    error.show()
    sys.exit(2)


def _stores(root: Path | None) -> "tuple[RunStore, ExperimentStore]":
    from harness.store.experiments import ExperimentStore
    from harness.store.root import results_root
    from harness.store.runs import RunStore

    path = results_root(root)
    return RunStore(path), ExperimentStore(path)


def _fail(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
