"""Parallel coordinates: an axis for each column, a line for each row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.report.charts.axis import Axis
from harness.report.charts.svg import (
    PER_LETTER,
    WIDTH,
    Element,
    drawing,
    element,
    line,
    path,
    words,
)

_TOP, _BOTTOM, _SIDE, _LONGEST = 44.0, 270.0, 46.0, 16


@dataclass(frozen=True)
class Column:
    """An axis: where the ticks are, and what they say."""

    title: str
    ticks: Sequence[tuple[float, str]]
    axis: Axis


@dataclass(frozen=True)
class Row:
    """Its place on each axis, None where it has none: the line leaves it out."""

    values: Sequence[float | None]
    tip: str
    style: str


def parallel_chart(title: str, columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Draw rows over columns; the last rows are drawn on top."""
    apart = (WIDTH - 2 * _SIDE) / max(len(columns) - 1, 1)
    places = [_SIDE + i * apart for i in range(len(columns))]
    placed = [column.axis.within(_BOTTOM, _TOP) for column in columns]
    lines = [_line(row, placed, places) for row in rows]
    heads = [mark for i, one in enumerate(columns) for mark in _head(one, placed[i], places[i], i)]
    return drawing(_BOTTOM + 12, title, *lines, *heads)


def _line(row: Row, axes: Sequence[Axis], places: Sequence[float]) -> Element:
    known = [
        (x, axis(value))
        for x, axis, value in zip(places, axes, row.values, strict=True)
        if value is not None
    ]
    drawn = path(known, f"thin {row.style}")
    drawn.append(element("title", text=row.tip))
    return drawn


def _head(column: Column, axis: Axis, x: float, i: int) -> Iterator[Element]:
    title = column.title
    short = title if len(title) <= _LONGEST else f"{title[: _LONGEST - 3]}..."
    half = PER_LETTER * len(short) / 2
    middle = min(max(x, half), WIDTH - half)  # within the drawing
    yield words(short, middle, 14 + 15 * (i % 2), "strong", anchor="middle")
    yield line(x, _TOP, x, _BOTTOM, "grid")
    for value, said in column.ticks:
        yield words(said, x + 4, axis(value) + 4, "faint")
