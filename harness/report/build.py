"""From an experiment's stored tables to its report; nothing else is read, not even the time."""

from collections.abc import Sequence

from harness.analysis.effects.holds import Under
from harness.analysis.verdicts.compare import compare
from harness.analysis.words.multiplier_view import multipliers
from harness.report.conditions import conditions
from harness.report.costs import costs
from harness.report.design import design, question, settings
from harness.report.document import Report
from harness.report.factors import factors
from harness.report.learning import learning
from harness.report.runs import all_runs
from harness.report.scope import reproduce, scope
from harness.report.tuning import tuning
from harness.report.verdicts import verdicts
from harness.store.experiments import ExperimentTables


def build_report(tables: ExperimentTables, main: Under, others: Sequence[Under]) -> Report:
    """Build the report of an experiment, which is `main` beside its conditions."""
    plan, runs = tables.plan, tables.runs
    comparison = compare(plan, runs, tables.documents)
    found = multipliers(main, others)
    sections = [
        question(plan),
        verdicts(plan, runs, comparison, found),
        scope(plan, comparison, others),
        *factors(plan, runs),
        *conditions(main, others),
        design(plan),
        *tuning(plan, runs, comparison.spent),
        learning(plan, runs, tables.curves, comparison),
        costs(tables, comparison, found),
        reproduce(plan, runs),
        settings(plan),
        all_runs(plan, runs),
    ]
    shown = [section for section in sections if section.blocks]
    return Report(plan["name"], plan["question"] or plan["name"], shown)
