"""From a study's events to its report; nothing else is read but the confirming experiment."""

from harness.analysis.study.read import Study
from harness.report.document import Report, Section
from harness.report.study.parameters import Importances, parameters
from harness.report.study.progress import progress
from harness.report.study.question import compute, design, question, reproduce
from harness.report.study.tables import all_trials
from harness.report.study.winners import winners


def build_study_report(study: Study, importances: Importances) -> Report:
    """Build the report of a study; importances are of whoever can compute them."""
    sections = [
        question(study),
        winners(study),
        design(study),
        compute(study),
        progress(study),
        *parameters(study, importances),
        reproduce(study),
        Section("Trials", [all_trials(study)], folded=True),
    ]
    shown = [section for section in sections if section.blocks]
    return Report(study.name, study.definition.get("question") or study.name, shown)
