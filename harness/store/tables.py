"""Tables of an experiment, rebuilt from the run folders at any time."""

from typing import Any

import pandas as pd

from harness.store.atomic import encode_json
from harness.store.attempt import Attempt
from harness.store.curve import Point
from harness.store.errors import StoreError
from harness.store.records import Measured, Result
from harness.store.runs import RunStore
from harness.store.status import Status

Plan = dict[str, Any]
"""A `plan.json`; its keys are listed in `harness.store.experiments`."""

_TEXT, _COUNT, _REAL = "str", "Int64", "float64"
_KEYS = {"arm": _TEXT, "seed": _COUNT}
_QUALITY = dict.fromkeys(
    ("train_loss", "val_loss", "val_bpb", "val_accuracy", "val_perplexity"), _REAL
)
_SPENT = {"tokens": _COUNT, "flops": _REAL, "seconds": _REAL, "tokens_per_s": _REAL}
_OF_TRAINING = {"train_loss", "steps", "tokens_per_param", "epochs", *_SPENT}
_COST = (
    *("params", "params_active", "params_non_embedding"),
    *("train_flops_per_token", "cache_bytes", "weight_bytes"),
)

RUN_COLUMNS = {
    **_KEYS,
    "replica": _COUNT,
    "run_id": _TEXT,
    "environment": _TEXT,
    "attempt": _COUNT,
    "measurement": _TEXT,
    "status": _TEXT,
    "cause": _TEXT,
    **_QUALITY,
    "steps": _COUNT,
    **_SPENT,
    **dict.fromkeys(_COST, _REAL),
}
CURVE_COLUMNS = {
    **_KEYS,
    "run_id": _TEXT,
    "step": _COUNT,
    **_QUALITY,
    **_SPENT,
    "lr": _REAL,
    "grad_norm": _REAL,
}


def collect(plan: Plan, run_store: RunStore) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read what there is of each planned run.

    Returns:
        The runs, one row a planned run (also when nothing of it is on disk: `queued`), with a
        column `factor.<name>` a factor and one for each further metric; and the points of their
        learning curves. Where a run's weights are measured in another precision of inference, the
        metrics are those of that measurement, but curves are of the training.
    """
    rows: list[dict[str, Any]] = []
    points: list[Point] = []
    for planned in map(dict, plan["runs"]):
        attempt = run_store.best_attempt(
            planned["run_id"],
            planned["environment"],
            planned.pop("reuses", None),
            planned.pop("attempts_from", 1),
        )
        name = planned.get("measurement")
        seen, curve = _look_at(attempt, name) if attempt else ({"status": Status.QUEUED}, [])
        rows.append({**seen, **_columns_of_arm(plan["arms"][planned["arm"]]), **planned})
        keys = {key: planned[key] for key in ("arm", "seed", "run_id")}
        points.extend({**point, **keys} for point in curve)
    return _table(rows, RUN_COLUMNS), _table(points, CURVE_COLUMNS)


def empty_runs() -> pd.DataFrame:
    """Return the table of no runs."""
    return _table([], RUN_COLUMNS)


def empty_curves() -> pd.DataFrame:
    """Return the table of no curves."""
    return _table([], CURVE_COLUMNS)


def _look_at(attempt: Attempt, measurement: str | None) -> tuple[dict[str, Any], list[Point]]:
    """Read an attempt's row and curve; a file that cannot be read makes it `corrupt`."""
    row: dict[str, Any] = {"attempt": attempt.number, "status": attempt.status}
    try:
        attempt.read_run()
        result, curve = attempt.read_result(), attempt.read_curve()
        row |= _columns_of_result(result) if result else {}
        if measurement and result and result.status is Status.DONE:
            row |= _columns_of_measured(result, attempt.read_measurement(measurement))
    except StoreError as error:
        return {**row, "status": Status.CORRUPT, "cause": str(error)}, []
    return row, curve


def _columns_of_result(result: Result) -> dict[str, Any]:
    return {
        **result.metrics,
        "seconds": result.seconds,
        "status": result.status,
        "cause": result.cause,
    }


def _columns_of_measured(result: Result, measured: Measured | None) -> dict[str, Any]:
    """Return what takes the place of everything that training evaluated."""
    evaluated = dict.fromkeys(result.metrics.keys() - _OF_TRAINING)
    if measured is None:
        return {**evaluated, "status": Status.QUEUED, "cause": "trained, and not yet measured"}
    found = {"status": measured.status, "cause": measured.cause}
    return {**evaluated, **measured.metrics, **found}


def _columns_of_arm(arm: dict[str, Any]) -> dict[str, Any]:
    factors = {f"factor.{k}": _plain(v) for k, v in arm.get("factors", {}).items()}
    return {**{key: arm["cost"].get(key) for key in _COST}, **factors}


def _plain(value: Any) -> str | int | float | None:
    return value if isinstance(value, str | int | float | None) else encode_json(value)


def _table(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    """Make a table whose types do not depend on what it holds; further columns come last."""
    others = dict.fromkeys(key for row in rows for key in row if key not in columns)
    table = pd.DataFrame(rows, columns=[*columns, *others]).astype(columns)
    mixed = [name for name in others if table[name].dtype == object]
    return table.astype(dict.fromkeys(mixed, _TEXT))
