"""Runs made elsewhere, as a table of arm, seed and metric: judged as ours are, and marked so."""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.analysis.statistics.verdict import METRICS_TO_MAXIMISE, METRICS_TO_MINIMISE
from harness.errors import AblateError, unknown
from harness.store.status import Status
from harness.store.tables import Plan

_KEYS = ("arm", "seed")
_OPTIONAL = ("replica", "purpose", "status", "environment")
_OURS = METRICS_TO_MAXIMISE | METRICS_TO_MINIMISE


@dataclass(frozen=True)
class Asked:
    """What a file cannot tell: None leaves it to the file, or to what is usual."""

    metric: str | None = None
    baseline: str | None = None
    maximise: bool = False
    alpha: float = 0.05
    practical: float | None = None


@dataclass(frozen=True)
class Cell:
    """A value of a file, with where it stands."""

    file: Path
    line: int
    column: str
    text: str

    def wrong(self, expected: str) -> AblateError:
        """Say what was expected here."""
        where = f"{self.file}, line {self.line}, column {self.column}"
        return AblateError(f"{where}: {expected}, but got {self.text!r}")


def read_runs(file: Path, asked: Asked) -> tuple[Plan, pd.DataFrame]:
    """Read the runs of a file, and make the plan that they would have come from.

    It has a header and the columns `arm`, `seed` and a metric; `replica`, `status` (done, failed,
    diverged), `environment` and `purpose` (only `report` answers) are read where they are there,
    and others are not. A metric of `nan` or `inf` is a run that diverged.

    Raises:
        AblateError: the file cannot be read, lacks a column, or has a value that is none.
    """
    header, lines = _lines(file)
    metric = _metric(file, header, asked)
    lines = [(number, row) for number, row in lines if row.get("purpose", "report") == "report"]
    runs = pd.DataFrame(_rows(file, lines, metric)).astype({"replica": "Int64", "seed": "Int64"})
    arms = list(dict.fromkeys(runs["arm"]))
    baseline = asked.baseline or arms[0]
    if baseline not in arms:
        raise AblateError(f"{file}: {unknown('arm', baseline, arms)}")
    if len(arms) < 2:
        raise AblateError(f"{file}: nothing to compare: {arms[0]!r} is the only arm")
    plan: Plan = {
        "name": file.stem,
        "question": "",
        "baseline": baseline,
        "metric": metric,
        "maximise": asked.maximise or metric in METRICS_TO_MAXIMISE,
        "alpha": asked.alpha,
        "practical": asked.practical,
        "contrasts": {},
        "elsewhere": str(file),
        "held_equal": [],
        "differs": [],
        "seeds": sorted({int(seed) for seed in runs["seed"]}),
        "arms": {arm: {"variant": {}, "changes": {}, "cost": {}} for arm in arms},
        "runs": runs[["arm", "seed", "replica", "run_id", "environment"]].to_dict("records"),
    }
    return plan, runs


def _lines(file: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restkey="", restval="", strict=True)
            header = list(reader.fieldnames or [])
            lines = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise AblateError(f"{file}: there is no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AblateError(f"{file}: cannot be read as CSV: {error}") from None
    for key in _KEYS:
        if key not in header:
            raise AblateError(f"{file}: {unknown('column', key, header)}")
    if not lines:
        raise AblateError(f"{file}: has a header, but no run below it")
    for number, row in lines:
        if "" in row:
            raise AblateError(f"{file}, line {number}: has more values than the header has columns")
    return header, lines


def _metric(file: Path, header: list[str], asked: Asked) -> str:
    others = [name for name in header if name not in (*_KEYS, *_OPTIONAL)]
    if asked.metric is not None:
        if asked.metric not in others:
            raise AblateError(f"{file}: {unknown('metric', asked.metric, others)}")
        return asked.metric
    known = [name for name in others if name in _OURS]
    for candidates in (others, known):
        if len(candidates) == 1:
            return candidates[0]
    choice = ", ".join(others) or "no other column is there"
    raise AblateError(f"{file}: which column is the metric? --metric names it: {choice}")


def _rows(
    file: Path, lines: list[tuple[int, dict[str, str]]], metric: str
) -> Iterator[dict[str, Any]]:
    seen: dict[tuple[str, int, int], int] = {}
    for number, row in lines:
        cells = {name: Cell(file, number, name, text.strip()) for name, text in row.items()}
        run = _run(cells, metric)
        key = run["arm"], run["seed"], run["replica"]
        if key in seen:
            raise cells["seed"].wrong(f"{run['arm']} has this seed in line {seen[key]} already")
        seen[key] = number
        yield run


def _run(cells: Mapping[str, Cell], metric: str) -> dict[str, Any]:
    arm, value = cells["arm"], cells[metric]
    if not arm.text:
        raise arm.wrong("must name an arm")
    seed, replica = _whole(cells["seed"]), 0
    if "replica" in cells and cells["replica"].text:
        replica = _whole(cells["replica"])
    status = _status(cells.get("status"))
    number = _number(value) if value.text else math.nan
    if value.text and not math.isfinite(number):
        status, number = Status.DIVERGED, math.nan
    elif not value.text and status is Status.DONE and "status" not in cells:
        raise value.wrong("must be a number (nan for a run that diverged)")
    return {
        "arm": arm.text,
        "seed": seed,
        "replica": replica,
        "run_id": f"{arm.text}-{seed}-{replica}",
        "environment": cells["environment"].text if "environment" in cells else "elsewhere",
        "status": str(status),
        "cause": None,
        metric: number,
    }


def _whole(cell: Cell) -> int:
    if not cell.text.isascii() or not cell.text.isdigit():
        raise cell.wrong("must be a whole number from 0 on")
    return int(cell.text)


def _number(cell: Cell) -> float:
    try:
        return float(cell.text)
    except ValueError:
        raise cell.wrong("must be a number") from None


def _status(cell: Cell | None) -> Status:
    if cell is None or not cell.text:
        return Status.DONE
    try:
        return Status(cell.text)
    except ValueError:
        raise cell.wrong(f"must be one of {', '.join(Status)}") from None
