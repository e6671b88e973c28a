"""An experiment's stored tables together with those of its conditions."""

from harness.analysis.holds import Under
from harness.store.experiments import ExperimentStore, ExperimentTables


def main_and_conditions(
    tables: ExperimentTables, experiments: ExperimentStore
) -> tuple[Under, list[Under]]:
    """Return an experiment, and those of its conditions that have been run."""
    stored = set(experiments.names())
    others = []
    for condition in tables.plan.get("conditions", []):
        if condition["experiment"] in stored:
            found = experiments.open(condition["experiment"])
            others.append(Under(condition["kind"], condition["name"], found.plan, found.runs))
    return Under("main", tables.plan["name"], tables.plan, tables.runs), others
