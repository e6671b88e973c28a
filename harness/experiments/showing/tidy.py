"""Tables of an experiment or a study as text, for other programs and for papers."""

from collections.abc import Iterator
from typing import Literal, get_args

from harness.analysis.study.read import Study
from harness.errors import AblateError
from harness.report.exports import Which, csv_table, latex_table
from harness.report.study.exports import WhichOfStudy, study_csv, study_latex
from harness.store.experiments import ExperimentTables
from harness.store.runs import RunStore
from harness.store.views import by_document, by_layer, by_position, collect_view

OfExperiment = Literal["runs", "curves", "positions", "documents", "layers", "arms", "contrasts"]
Csv = Literal[OfExperiment, WhichOfStudy]
Latex = Literal[Which, WhichOfStudy]


def tidy(
    of: ExperimentTables | Study, runs: RunStore, csv: Csv | None, latex: Latex | None
) -> Iterator[str]:
    """Write the tables that are asked for.

    Raises:
        AblateError: there is no such table of it.
        StoreError: a file of a run is corrupt.
    """
    if isinstance(of, Study):
        if csv is not None:
            yield study_csv(of, _of_study("csv", csv))
        if latex is not None:
            yield study_latex(of, _of_study("latex", latex))
        return
    if csv is not None:
        yield tidy_csv(of, runs, _of_experiment(csv))
    if latex is not None:
        if latex == "trials" or latex == "front":
            raise _none_such("latex", latex, "an experiment", get_args(Which))
        yield latex_table(of, latex)


def tidy_csv(tables: ExperimentTables, runs: RunStore, which: OfExperiment) -> str:
    """Write a table of an experiment with all of its columns, for other programs.

    Raises:
        StoreError: a file of a run is corrupt.
    """
    match which:
        case "runs":
            table = tables.runs
        case "curves":
            table = tables.curves
        case "positions":
            table = collect_view(tables.plan, runs, by_position)
        case "documents":
            table = collect_view(tables.plan, runs, by_document)
        case "layers":
            table = collect_view(tables.plan, runs, by_layer)
        case "arms" | "contrasts":
            return csv_table(tables, which)
    return table.to_csv(index=False, lineterminator="\n")


def _of_study(option: str, which: Csv | Latex) -> WhichOfStudy:
    if which == "trials" or which == "front":
        return which
    raise _none_such(option, which, "a study", get_args(WhichOfStudy))


def _of_experiment(which: Csv) -> OfExperiment:
    if which == "trials" or which == "front":
        raise _none_such("csv", which, "an experiment", get_args(OfExperiment))
    return which


def _none_such(option: str, which: str, of: str, known: tuple[str, ...]) -> AblateError:
    return AblateError(f"--{option} of {of} must be {' or '.join(known)}, but got {which}")
