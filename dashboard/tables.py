"""Tables: pure functions from what is stored to data frames that are shown as they are."""

from collections.abc import Sequence

import pandas as pd

from dashboard.data import Experiment
from harness.analysis.words.columns import all_columns
from harness.report.document import Table
from harness.report.words import changes_words

_KEYS = ["arm", "seed", "replica", "environment"]


def arm_table(experiment: Experiment) -> pd.DataFrame:
    """Return each arm's metric with its interval and n, and its cost, in words."""
    columns = all_columns(experiment.comparison, experiment.plan, experiment.latency)
    rows = [
        {"arm": arm.arm, **{column.title: column.words(arm) for column in columns}}
        for arm in experiment.comparison.arms
    ]
    return pd.DataFrame(rows)


def words_table(table: Table) -> pd.DataFrame:
    """Return a table of a report."""
    return pd.DataFrame(table.rows, columns=list(table.columns))


def run_table(experiments: Sequence[Experiment], all_columns: bool) -> pd.DataFrame:
    """Return a row for each planned run; what varies comes first, what does not is left out.

    `all_columns` adds what does not vary, and every measurement and cost.
    """
    table = pd.concat([_runs(experiment) for experiment in experiments], ignore_index=True)
    factors = [name for name in table.columns if name.startswith("factor.")]
    shown = [
        metric for e in experiments for metric in (e.plan["metric"], *e.comparison.evaluations)
    ]
    metrics = list(dict.fromkeys(shown))
    ours = ["purpose", "setting", "seed", "replica", "environment"]
    keys = ["experiment", "arm", "changes", *factors, *ours]
    varying = [key for key in keys if key == "arm" or table[key].nunique(dropna=False) > 1]
    columns = [*varying, "status", *metrics, "tokens", "seconds", "run_id", "cause"]
    rest = [name for name in table.columns if name not in columns] if all_columns else []
    return table[[*columns, *rest]]


def _runs(experiment: Experiment) -> pd.DataFrame:
    arms = experiment.plan["arms"]
    table = experiment.runs.copy()
    table.insert(0, "experiment", experiment.name)
    table.insert(2, "changes", [changes_words(arms[arm].get("changes")) for arm in table["arm"]])
    return table
