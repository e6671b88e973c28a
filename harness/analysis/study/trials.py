"""The trials of a study as a table, from its events: one row a trial, whatever became of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.analysis.study.objectives import Definition, objectives
from harness.store.atomic import encode_json

Event = Mapping[str, Any]
Row = dict[str, Any]

WAITING = ("queued", "running", "interrupted")
"""Statuses of trials that are to end yet; a worker that dies leaves one `interrupted`."""
ENDED = ("done", "pruned", "infeasible", "duplicate", "diverged", "failed")

_TEXT, _COUNT, _REAL, _TIME = "str", "Int64", "float64", "datetime64[us, UTC]"
_ABOUT = {"number": _COUNT, "status": _TEXT}
_HISTORY = {
    "enqueued": "boolean",
    **dict.fromkeys(("retry_of", "same_as", "attempts", "lost", "seed", "ended_as"), _COUNT),
    **dict.fromkeys(("rung", "seconds", "flops", "residual"), _REAL),
    **dict.fromkeys(("worker", "run_id", "arm", "cause"), _TEXT),
    **dict.fromkeys(("asked_at", "started_at", "ended_at"), _TIME),
}


def trials_table(definition: Definition, events: Iterable[Event]) -> pd.DataFrame:
    """Return a row for each trial that was asked for, by number.

    Columns, whose types do not depend on what has happened so far:

    - `number`, `status` (one of `WAITING` and `ENDED`);
    - `params.<name>` of the space, empty where its branch was not taken;
    - `objective.<key>`, of trials that are done, and of duplicates those of the same trial;
    - `objective.<key>@<fraction>` at each rung, which only compares with others at that fraction;
    - `violation.<bound>`, how far an infeasible trial is above it, and `cost.<name>`;
    - `rung`, the fraction of the budget up to which it is known, `seconds` and `flops` spent on it,
      `attempts` at it, how often its worker was `lost`, when it was asked, started and ended, and
      `ended_as`, how many trials had ended before it.
    """
    rows: dict[int, Row] = {}
    n_ended = 0
    for event in events:
        number = event["trial"]
        if number < 0:  # of the study as a whole
            continue
        row = rows.setdefault(number, {"number": number, "status": "queued"})
        row |= _learned(event, row, definition.get("rungs") or [])
        if event["event"] in ("ended", "infeasible"):
            row["ended_as"] = n_ended
            n_ended += 1
    columns = _columns(definition)
    others = sorted({key for row in rows.values() for key in row} - columns.keys())
    columns |= dict.fromkeys((key for key in others if key.startswith("cost.")), _REAL)
    texts = [name for name, kind in columns.items() if kind == _TEXT]
    ordered = [_with_text(rows[number], texts) for number in sorted(rows)]
    return pd.DataFrame(ordered, columns=list(columns)).astype(columns)


def rung_values(definition: Definition, events: Iterable[Event]) -> pd.DataFrame:
    """Return what trials had reached on the way: a row for each evaluation that was compared.

    Columns: `number`, `fraction` of the budget, and `objective.<key>`; a trial that is done has a
    row at 1.
    """
    keys = [one.key for one in objectives(definition)]
    rows = []
    for event in events:
        is_end = event["event"] == "ended" and event["status"] == "done"
        if event["event"] == "rung" or is_end:
            values = event.get("values") or {}
            fraction = 1.0 if is_end else event["fraction"]
            row = {"number": event["trial"], "fraction": fraction}
            rows.append(row | {f"objective.{key}": values.get(key) for key in keys})
    columns = {"number": _COUNT, "fraction": _REAL, **{f"objective.{k}": _REAL for k in keys}}
    table = pd.DataFrame(rows, columns=list(columns)).astype(columns)
    return table.drop_duplicates(["number", "fraction"], keep="last", ignore_index=True)


def segments(events: Iterable[Event]) -> pd.DataFrame:
    """Return when trials were worked at: a row for each time that a worker took one up."""
    rows: list[Row] = []
    current: dict[int, Row] = {}
    for event in events:
        number, at = event["trial"], pd.Timestamp(event["at"])
        if event["event"] == "started":
            worker = event["worker"]
            current[number] = {"number": number, "worker": worker, "start": at, "end": at}
            rows.append(current[number])
        elif number in current:
            current[number]["end"] = at
    columns = {"number": _COUNT, "worker": _TEXT, "start": _TIME, "end": _TIME}
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def at_rung(key: str, fraction: float) -> str:
    """Name the column of an objective at a fraction of the budget."""
    return f"objective.{key}@{fraction:g}"


def _columns(definition: Definition) -> dict[str, str]:
    keys = [one.key for one in objectives(definition)]
    fractions = definition.get("rungs") or []
    return {
        **_ABOUT,
        **{f"params.{name}": _type_of(one) for name, one in definition["space"].items()},
        **{f"objective.{key}": _REAL for key in keys},
        **{at_rung(key, fraction): _REAL for fraction in fractions for key in keys},
        **{f"violation.{bound}": _REAL for bound in definition.get("constraints") or {}},
        **_HISTORY,
    }


def _type_of(asked: Mapping[str, Any]) -> str:
    """Return the type of a parameter: choices that are not all numbers are text."""
    distribution = json.loads(asked["distribution"])
    attributes = distribution["attributes"]
    match distribution["name"]:
        case "IntDistribution":
            return _COUNT
        case "FloatDistribution":
            return _REAL
    choices = attributes["choices"]
    if all(isinstance(choice, bool) for choice in choices):
        return "boolean"
    if not all(_is_number(choice) for choice in choices):
        return _TEXT
    return _COUNT if all(isinstance(choice, int) for choice in choices) else _REAL


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _with_text(row: Row, texts: Iterable[str]) -> Row:
    """Write as JSON what is to be text and is none, such as a choice of several numbers."""
    found = {
        name: encode_json(row[name])
        for name in texts
        if row.get(name) is not None and not isinstance(row[name], str)
    }
    return row | found


def _learned(event: Event, row: Row, rungs: Sequence[float]) -> Row:
    """Return what an event tells of its trial; kinds of later versions tell nothing."""
    match event["event"]:
        case "asked":
            params = {f"params.{name}": value for name, value in event["params"].items()}
            costs = {f"cost.{name}": value for name, value in (event.get("cost") or {}).items()}
            matched = event.get("matched") or {}
            return {
                **{key: "null" if value is None else value for key, value in params.items()},
                **{key: value for key, value in costs.items() if _is_number(value)},
                **{key: event.get(key) for key in ("enqueued", "retry_of", "run_id", "seed")},
                "arm": encode_json(event.get("arm") or {}),
                "residual": matched.get("residual"),
                "asked_at": event["at"],
                "attempts": 0,
                "lost": 0,
            }
        case "infeasible":
            amounts = {f"violation.{bound}": by for bound, by in event["violations"].items()}
            end = {"cause": event.get("reason"), "ended_at": event["at"]}
            return {"status": "infeasible", **amounts, **end}
        case "started":
            first = row.get("started_at") or event["at"]
            found = {"status": "running", "worker": event["worker"], "started_at": first}
            return found | {"attempts": row["attempts"] + 1}
        case "rung":
            fraction = event["fraction"]
            paused = {"status": "queued"} if event.get("pauses") else {}
            reached = _at_rungs(event.get("values"), fraction, rungs)
            return {**reached, **paused, "rung": fraction, **_spent(event, row)}
        case "lost":  # without a worker: it was stopped together with the study
            died = event.get("worker") is not None
            return {"status": "interrupted", "lost": row["lost"] + died}
        case "ended":
            end = {"status": event["status"], "ended_at": event["at"], **_spent(event, row)}
            told = {key: event.get(key) for key in ("cause", "same_as")}
            rung = {} if event.get("rung") is None else {"rung": event["rung"]}
            ended = {**end, **told, **rung}
            if event["status"] == "done":
                ended |= _at_rungs(event.get("values"), 1.0, [r for r in rungs if r == 1])
            if event["status"] not in ("done", "duplicate") or event.get("pruned"):
                return ended
            values = event.get("values") or {}
            return ended | {f"objective.{key}": value for key, value in values.items()}
    return {}


def _at_rungs(values: Mapping[str, Any] | None, fraction: float, rungs: Sequence[float]) -> Row:
    """Return values under the nearest rung: a training is evaluated at the first step after it."""
    if not rungs:
        return {}
    nearest = min(rungs, key=lambda rung: abs(rung - fraction))
    return {at_rung(key, nearest): value for key, value in (values or {}).items()}


def _spent(event: Event, row: Row) -> Row:
    """Return what was spent so far; a run that the store had before the study costs it nothing."""
    if event.get("reused"):
        return {"seconds": 0.0, "flops": 0.0}
    return {
        key: row.get(key) if event.get(key) is None else event[key] for key in ("seconds", "flops")
    }
