"""Writes a study's report, with the importances that only Optuna computes."""

from pathlib import Path

from harness.analysis.study.confirmed import summary_frame
from harness.analysis.study.read import Study, read_study
from harness.report.document import Report
from harness.report.study.build import build_study_report
from harness.report.write import write_pages
from harness.search.importances import importances
from harness.store.studies import StudyStore
from harness.store.study_tables import write_study_tables


def write_study_report(studies: StudyStore, name: str, folder: Path | None = None) -> list[Path]:
    """Write `report.html`, and `report.md` with `figures/`, into a folder; return the pages.

    By default into the study's own. The same events give the same files, to the last byte.

    Raises:
        AblateError: there is no such study.
        StoreError: a file of it, or of its confirming experiment, is corrupt.
    """
    study = read_study(studies, name)
    return write_pages(study_report(study), folder or studies.open(name).path)


def study_report(study: Study) -> Report:
    """Build the report of a study."""
    return build_study_report(study, importances(study))


def write_tables(studies: StudyStore, name: str) -> None:
    """Write `trials.parquet` and `summary.csv` of a study, from its events.

    Raises:
        AblateError: there is no such study.
        StoreError: a file of it, or of its confirming experiment, is corrupt.
    """
    study = read_study(studies, name)
    write_study_tables(studies.open(name).path, study.trials, summary_frame(study))
