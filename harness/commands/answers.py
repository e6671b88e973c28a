"""Commands that tell what was found, and whether the harness finds what is known."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.commands.options import fail, stores
from harness.errors import AblateError
from harness.terminal import Json, Results, console, echo


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

    experiments = stores(results)[1]
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
        fail("what is known was contradicted", 1)


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

    experiments = stores(results)[1]
    found = named(name, experiments)
    if isinstance(found, Study):
        from harness.search.reporting import write_study_report
        from harness.store.studies import StudyStore

        pages = write_study_report(StudyStore(experiments.root), name, out)
    else:
        pages = write_report(experiments, name, out)
    for path in pages:
        echo(str(path))
