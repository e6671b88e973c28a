"""A learning curve as a file that only grows: one JSON measurement a line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.store.atomic import encode_json, null_for_nan, write_text
from harness.store.errors import StoreError, writing

Point = dict[str, Any]
"""A measurement as stored: `step` and whatever was measured there."""


def append_point(path: Path, point: Mapping[str, Any]) -> None:
    """Add a line and flush it; NaN and infinities become null.

    Raises:
        StoreError: there was no room for all of it.
    """
    line = (encode_json(null_for_nan(point)) + "\n").encode()
    with writing(path), path.open("ab") as file:
        file.write(line)


def read_curve(path: Path) -> list[Point]:
    """Read the points by step; none if there is no file.

    A torn last line (no newline: its writer died, or is writing) does not count. A resumed run
    measures some steps again; the later point counts.

    Raises:
        StoreError: another line is no JSON object with a `step`.
    """
    if not path.exists():
        return []
    *whole, _torn = path.read_bytes().split(b"\n")
    points = {}
    for number, line in enumerate(whole, start=1):
        try:
            point = json.loads(line)
            points[int(point["step"])] = point
        except (ValueError, TypeError, KeyError):
            raise StoreError(path, f"corrupt: line {number} is no measurement") from None
    return [points[step] for step in sorted(points)]


def keep_until(path: Path, step: int) -> None:
    """Forget the points after a step: a run that goes on from there measures them again."""
    points = [point for point in read_curve(path) if point["step"] <= step]
    write_text(path, "".join(encode_json(point) + "\n" for point in points))


def drop_torn_line(path: Path) -> None:
    """Cut off a torn last line, so that the next one begins on a line of its own."""
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with writing(path), path.open("r+b") as file:
                file.truncate(whole)
