"""What the pages show: experiments as stored, with the comparison that the command line prints."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from harness.analysis.statistics.values import report_runs
from harness.analysis.verdicts.compare import Comparison, compare
from harness.errors import AblateError
from harness.store.errors import StoreError
from harness.store.experiments import ExperimentStore
from harness.store.latency import Latency
from harness.store.root import results_root
from harness.store.runs import RunStore
from harness.store.status import Status
from harness.store.tables import Plan
from harness.store.views import by_position, collect_view

LOST = (Status.FAILED, Status.DIVERGED, Status.CORRUPT, Status.INTERRUPTED)
Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Experiment:
    """An experiment as last collected, and what may be claimed of it."""

    name: str
    plan: Plan
    runs: pd.DataFrame
    curves: pd.DataFrame
    comparison: Comparison
    latency: Latency | None = None

    @property
    def n_planned(self) -> int:
        """How many runs there will be."""
        return len(self.plan["runs"])

    @property
    def n_done(self) -> int:
        """How many of them are done."""
        return int((self.runs["status"] == Status.DONE).sum())


def store() -> ExperimentStore:
    """Return the store under the results root."""
    return ExperimentStore(results_root())


def load(store: ExperimentStore, name: str) -> Experiment:
    """Read an experiment, from memory while its files are unchanged.

    Raises:
        AblateError: there is no such experiment, or a file of it is corrupt.
    """
    return _load(str(store.root.absolute()), name, _stamp(store.folder(name)))


def load_all(store: ExperimentStore, names: list[str]) -> tuple[list[Experiment], list[str]]:
    """Read experiments; those that cannot be read become messages."""
    experiments, errors = [], []
    for name in names:
        try:
            experiments.append(load(store, name))
        except AblateError as error:
            errors.append(f"{name}: {error}")
    return experiments, errors


def losses(experiment: Experiment) -> Iterator[str]:
    """Name each run that will not count as things stand: `mqa, seed 3: failed (out of memory)`."""
    runs = report_runs(experiment.runs)
    lost = runs[runs["status"].isin(LOST)]
    for run in lost.to_dict("records"):
        cause = f" ({run['cause']})" if pd.notna(run["cause"]) else ""
        yield f"{run['arm']}, seed {run['seed']}: {run['status']}{cause}"


def positions(experiment: Experiment) -> pd.DataFrame:
    """Return the held-out loss by position of the runs whose folders are here."""
    return collect_view(experiment.plan, RunStore(results_root()), by_position)


@st.cache_data(max_entries=256, show_spinner=False)
def _load(root: str, name: str, stamp: Stamp) -> Experiment:
    """Read an experiment; `stamp` is there for the cache's key."""
    store = ExperimentStore(Path(root))
    tables = store.open(name)
    try:
        comparison = compare(tables.plan, tables.runs, tables.documents)
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # keys of the wrong shape
        plan = store.folder(name) / "plan.json"
        raise StoreError(plan, f"corrupt or unlike runs.parquet: {error!r}") from None
    return Experiment(name, tables.plan, tables.runs, tables.curves, comparison, tables.latency)


def _stamp(folder: Path) -> Stamp:
    """Return what changes when a file of the folder does."""
    if not folder.is_dir():
        return ()
    seen = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in seen)
