"""An experiment's stored tables together with those of its conditions."""

from harness.analysis.effects.holds import Under
from harness.analysis.verdicts.compare import compare
from harness.store.experiments import ExperimentStore, ExperimentTables


def main_and_conditions(
    tables: ExperimentTables, experiments: ExperimentStore
) -> tuple[Under, list[Under]]:
    """Return an experiment, and those of its conditions that have been run."""
    stored = set(experiments.names())
    others = [
        _under(condition["kind"], condition["name"], experiments.open(condition["experiment"]))
        for condition in tables.plan.get("conditions", [])
        if condition["experiment"] in stored
    ]
    return _under("main", tables.plan["name"], tables), others


def _under(kind: str, name: str, tables: ExperimentTables) -> Under:
    comparison = compare(tables.plan, tables.runs, tables.documents)
    return Under(kind, name, tables.plan, tables.runs, comparison)
