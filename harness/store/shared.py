"""Which experiments hold the same runs: an arm's luck is then that of several questions."""

from collections.abc import Iterable, Mapping
from typing import Any

from harness.store.errors import StoreError
from harness.store.experiments import ExperimentStore


def shared_with(
    experiments: ExperimentStore, name: str, runs: Iterable[Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Return, by arm, the other experiments of the store with a report run that the arm has too.

    Conditions of one question (`attention.half_budget`) are no other experiments, and a plan that
    cannot be read is left out: whoever opens it is told.
    """
    by_run: dict[str, set[str]] = {}
    for run in runs:
        if run.get("purpose", "report") == "report":
            by_run.setdefault(run["run_id"], set()).add(run["arm"])
    found: dict[str, list[str]] = {}
    for other in experiments.names():
        if other.partition(".")[0] == name.partition(".")[0]:
            continue
        for arm in sorted(_arms_in(experiments, other, by_run)):
            found.setdefault(arm, []).append(other)
    return found


def _arms_in(experiments: ExperimentStore, other: str, by_run: Mapping[str, set[str]]) -> set[str]:
    try:
        runs = experiments.plan(other)["runs"]
    except StoreError:
        return set()
    return {arm for run in runs for arm in by_run.get(run["run_id"], ())}
