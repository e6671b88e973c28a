"""Writes a report: a page that stands alone, and one with its charts beside it."""

from pathlib import Path

from harness.analysis.effects.answers import main_and_conditions
from harness.report.build import build_report
from harness.report.charts.svg import standalone
from harness.report.document import Report
from harness.report.pages import html_page, markdown_page
from harness.store.atomic import write_text
from harness.store.experiments import ExperimentStore


def write_report(experiments: ExperimentStore, name: str, folder: Path | None) -> list[Path]:
    """Write `report.html`, and `report.md` with `figures/`, into a folder; return the pages.

    By default into the experiment's own. The same tables give the same files, to the last byte.

    Raises:
        AblateError: there is no such experiment.
        StoreError: a file of it, or of one of its conditions, is corrupt.
    """
    return write_pages(stored_report(experiments, name), folder or experiments.folder(name))


def write_pages(report: Report, into: Path) -> list[Path]:
    """Write a report into a folder; return its pages."""
    pages = {"report.html": html_page(report), "report.md": markdown_page(report)}
    for figure in report.figures:
        write_text(into / "figures" / f"{figure.name}.svg", standalone(figure.svg))
    for page, content in pages.items():
        write_text(into / page, content)
    return [into / page for page in pages]


def stored_report(experiments: ExperimentStore, name: str) -> Report:
    """Build the report of a stored experiment.

    Raises:
        AblateError: there is no such experiment.
        StoreError: a file of it, or of one of its conditions, is corrupt.
    """
    tables = experiments.open(name)
    return build_report(tables, *main_and_conditions(tables, experiments))
