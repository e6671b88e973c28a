"""Tables of an experiment, rebuilt from the run folders at any time."""

from collections.abc import Mapping
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
_EVALUATED = ("val_loss", "val_bpb", "val_accuracy", "val_perplexity")
_QUALITY = dict.fromkeys(("train_loss", *_EVALUATED), _REAL)
_SPEED = {"tokens_per_s": _REAL, "share_of_peak": _REAL, "peak_memory": _COUNT}
_SPENT = {"tokens": _COUNT, "flops": _REAL, "seconds": _REAL, **_SPEED}
_OF_TRAINING = {"train_loss", "steps", "tokens_per_param", "epochs", *_SPENT}
_COST = (
    *("params", "params_active", "params_non_embedding"),
    *("train_flops_per_token", "cache_bytes", "weight_bytes"),
)

_PURPOSE = {"purpose": _TEXT, "setting": _REAL, "trial": _COUNT, "budget_share": _REAL}
WHOLE: dict[str, str | float] = {"purpose": "report", "budget_share": 1.0}
"""What a run is for where nothing else is said: to answer the question, with all of the budget."""

RUN_COLUMNS = {
    **_KEYS,
    "replica": _COUNT,
    **_PURPOSE,
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
        learning curves, of the runs that stand for their arm. Where a run's weights are measured in
        another precision of inference, the metrics are those of that measurement, but curves are of
        the training. What a run is scored on besides has columns such as `report/val_loss`.
    """
    rows: list[dict[str, Any]] = []
    points: list[Point] = []
    for planned in ({**WHOLE, **run} for run in plan["runs"]):
        attempt = attempt_of(planned, run_store)
        for key in ("reuses", "attempts_from"):
            planned.pop(key, None)
        names = planned.get("measurement"), planned.pop("evaluations", {})
        seen, curve = _look_at(attempt, *names) if attempt else ({"status": Status.QUEUED}, [])
        rows.append({**seen, **_columns_of_arm(plan["arms"][planned["arm"]]), **planned})
        keys = {key: planned[key] for key in ("arm", "seed", "run_id")}
        if stands_for_arm(plan, planned):
            points.extend({**_flat(point), **keys} for point in curve)
    return _table(rows, {**RUN_COLUMNS, **columns_of_sets(plan)}), _table(points, CURVE_COLUMNS)


def stands_for_arm(plan: Plan, planned: Mapping[str, Any]) -> bool:
    """Whether a run shows what its arm is: it answers the question, at the chosen setting."""
    tuning = plan["arms"][planned["arm"]].get("tuning")
    setting = planned.get("setting")
    return planned.get("purpose", "report") == "report" and (
        not tuning or setting is None or setting == tuning["chosen"]
    )


def attempt_of(planned: Mapping[str, Any], run_store: RunStore) -> Attempt | None:
    """Return the attempt that stands for a run of a plan, None before there is one."""
    which = planned.get("reuses"), planned.get("attempts_from", 1)
    return run_store.best_attempt(planned["run_id"], planned["environment"], *which)


def columns_of_sets(plan: Plan) -> dict[str, str]:
    """Return the columns for what runs are scored on besides and compared by, with their types."""
    compared = {plan["metric"]: _REAL} if "metric" in plan else {}
    return compared | {
        f"{name}/{m}": _REAL for name in plan.get("evaluate", {}) for m in _EVALUATED
    }


def empty_runs() -> pd.DataFrame:
    """Return the table of no runs."""
    return _table([], RUN_COLUMNS)


def _flat(point: Point) -> Point:
    """Leave out what is kept by layer."""
    return {key: value for key, value in point.items() if not isinstance(value, dict)}


def empty_curves() -> pd.DataFrame:
    """Return the table of no curves."""
    return _table([], CURVE_COLUMNS)


def _look_at(
    attempt: Attempt, measurement: str | None, evaluations: dict[str, str]
) -> tuple[dict[str, Any], list[Point]]:
    """Read an attempt's row and curve; a file that cannot be read makes it `corrupt`."""
    row: dict[str, Any] = {"attempt": attempt.number, "status": attempt.status}
    try:
        attempt.read_run()
        result, curve = attempt.read_result(), attempt.read_curve()
        row |= _columns_of_result(result) if result else {}
        if measurement and result and result.status is Status.DONE:
            row |= _columns_of_measured(result, attempt.read_measurement(measurement))
        if row["status"] is Status.DONE:
            for name, evaluation in evaluations.items():
                row |= _columns_of_set(name, attempt.read_measurement(evaluation), row)
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


def _columns_of_set(name: str, measured: Measured | None, row: dict[str, Any]) -> dict[str, Any]:
    """Return a set's metrics; that it lacks them is told, and spoils nothing else of the run."""
    if measured and measured.status is Status.DONE:
        return {f"{name}/{metric}": value for metric, value in measured.metrics.items()}
    why = f"{measured.status}: {measured.cause}" if measured else "not yet scored"
    return {"cause": "; ".join(filter(None, (row["cause"], f"{name} {why}")))}


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
