"""Tables: pure functions from what is stored to data frames that are shown as they are."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from dashboard.data import Experiment
from harness.analysis.arms import mean_words, says_more_than_params
from harness.analysis.intervals import LEVEL_OF_MEANS
from harness.analysis.units import count, percent, share, size

_KEYS = ["arm", "seed", "replica", "environment"]


def arm_table(experiment: Experiment) -> pd.DataFrame:
    """Return each arm's metric with its interval and n, and its cost, in words."""
    metric = experiment.comparison.metric
    lengths = {arm["cost"].get("cache_seq_len") for arm in experiment.plan["arms"].values()}
    known = lengths - {None}
    cache = f"cache at T={known.pop()}" if len(known) == 1 else "cache"
    arms = experiment.comparison.arms
    meets = says_more_than_params(arms, "params_active")
    weighs = says_more_than_params(arms, "weight_bytes")
    timed = any(arm.share_of_peak for arm in arms)
    rows = [
        {
            "arm": arm.arm,
            f"{metric} ({percent(LEVEL_OF_MEANS)} interval)": mean_words(arm),
            "n": f"{arm.n}" if arm.n == arm.n_planned else f"{arm.n}/{arm.n_planned}",
            "params": count(arm.params),
            **({"params that a token meets": count(arm.params_active)} if meets else {}),
            **({"weights": size(arm.weight_bytes)} if weighs else {}),
            "FLOPs/token": count(arm.train_flops_per_token),
            cache: size(arm.cache_bytes),
            "tokens/s": count(arm.tokens_per_s),
            **({"of peak": share(arm.share_of_peak)} if timed else {}),
            **({"peak memory": size(arm.peak_memory)} if timed else {}),
        }
        for arm in arms
    ]
    return pd.DataFrame(rows)


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
    keys = ["experiment", "arm", "changes", *factors, "seed", "replica", "environment"]
    varying = [key for key in keys if key == "arm" or table[key].nunique(dropna=False) > 1]
    columns = [*varying, "status", *metrics, "tokens", "seconds", "run_id", "cause"]
    rest = [name for name in table.columns if name not in columns] if all_columns else []
    return table[[*columns, *rest]]


def _runs(experiment: Experiment) -> pd.DataFrame:
    arms = experiment.plan["arms"]
    table = experiment.runs.copy()
    table.insert(0, "experiment", experiment.name)
    table.insert(2, "changes", [_changes(arms[arm].get("changes")) for arm in table["arm"]])
    return table


def _changes(changes: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{key}={value}" for key, value in _flat(changes or {}))


def _flat(changes: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """List nested changes by dotted keys; those of the variant need no prefix."""
    for key, value in changes.items():
        if isinstance(value, Mapping):
            yield from _flat(value, "" if key == "variant" else f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)
