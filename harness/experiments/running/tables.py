"""The tables of an experiment, made again from its runs whenever one has ended."""

from harness.analysis.verdicts.compare import Comparison, compare
from harness.analysis.words.summary import summary_frame
from harness.store.documents import collect_documents
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.store.tables import Plan, collect


def refresh_tables(plan: Plan, runs: RunStore, experiments: ExperimentStore) -> Comparison:
    """Collect what the runs of a plan have left, write the tables and return the comparison."""
    table, curves = collect(plan, runs)
    documents = collect_documents(plan, runs)
    comparison = compare(plan, table, documents)
    summary = summary_frame(comparison)
    experiments.write_tables(plan["name"], table, curves, summary, documents)
    return comparison
