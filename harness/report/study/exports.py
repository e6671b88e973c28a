"""The tables of a study for other programs and for papers: CSV in full, LaTeX in words."""

from typing import Literal

from harness.analysis.study.confirmed import summary_frame
from harness.analysis.study.read import Study
from harness.report.latex import latex
from harness.report.study.tables import all_trials, front_table

WhichOfStudy = Literal["trials", "front"]


def study_csv(study: Study, which: WhichOfStudy) -> str:
    """Write all trials, or the best and the confirmed ones, unrounded."""
    table = study.trials if which == "trials" else summary_frame(study)
    return table.to_csv(index=False, lineterminator="\n")


def study_latex(study: Study, which: WhichOfStudy) -> str:
    """Write all trials, or the best ones, for LaTeX."""
    return latex(all_trials(study) if which == "trials" else front_table(study))
