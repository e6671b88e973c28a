"""The same question under other rules, budgets or sizes, beside the main answer."""

from collections.abc import Iterator, Mapping

from harness.analysis.compare import compare
from harness.analysis.words import difference_words, interval_words
from harness.report.document import Section, Table
from harness.store.experiments import ExperimentTables
from harness.store.tables import Plan


def conditions(plan: Plan, others: Mapping[str, ExperimentTables]) -> Iterator[Section]:
    """Show every contrast under every condition; `others` has them by experiment's name."""
    table = condition_table(plan, others)
    if table.rows:
        yield Section("Other conditions", [table])


def condition_table(plan: Plan, others: Mapping[str, ExperimentTables]) -> Table:
    """Tell of every contrast under every condition."""
    rows = []
    for condition in plan.get("conditions") or []:
        about = [condition["name"], condition["kind"]]
        tables = others.get(condition["experiment"])
        if tables is None:
            rows.append([*about, "-", "-", "-", "-", "not run yet"])
            continue
        for contrast in compare(tables.plan, tables.runs, tables.documents).contrasts:
            pair = f"{contrast.arm} - {contrast.baseline}"
            found = [difference_words(contrast), interval_words(contrast), str(contrast.n)]
            rows.append([*about, pair, *found, str(contrast.verdict)])
    columns = ["condition", "of", "contrast", "difference", "interval", "n", "verdict"]
    return Table("The same question elsewhere", columns, rows)
