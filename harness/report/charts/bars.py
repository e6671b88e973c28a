"""Rows of horizontal bars: how much of something, or from when until when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.quantities import format_count
from harness.report.charts.axis import Axis
from harness.report.charts.svg import (
    PER_LETTER,
    WIDTH,
    Element,
    drawing,
    element,
    line,
    words,
)

_ROW, _BAR, _ABOVE, _BELOW, _SIDE = 24.0, 14.0, 8.0, 44.0, 8.0
_LONGEST = 24


@dataclass(frozen=True)
class Bar:
    """From where to where, and what it says when pointed at."""

    start: float
    end: float
    tip: str
    style: str = "a0"


@dataclass(frozen=True)
class BarRow:
    """Bars beside a name."""

    label: str
    bars: Sequence[Bar]

    @property
    def short_label(self) -> str:
        """The label, cut if it is too long."""
        return self.label if len(self.label) <= _LONGEST else f"{self.label[: _LONGEST - 3]}..."


def bar_chart(title: str, unit: str, rows: Sequence[BarRow]) -> str:
    """Draw rows of bars over one axis, which begins at 0."""
    left = _SIDE + PER_LETTER * max(len(row.short_label) for row in rows) + _SIDE
    longest = max((bar.end for row in rows for bar in row.bars), default=0.0)
    axis = Axis(0.0, longest or 1.0, left, WIDTH - 2 * _SIDE)
    bottom = _ABOVE + _ROW * len(rows)
    marks = [mark for i, row in enumerate(rows) for mark in _row(row, axis, _ABOVE + i * _ROW)]
    return drawing(bottom + _BELOW, title, *_ground(axis, bottom, unit), *marks)


def _ground(axis: Axis, bottom: float, unit: str) -> Iterator[Element]:
    for tick in axis.ticks():
        yield line(axis(tick), _ABOVE, axis(tick), bottom, "grid")
        yield words(format_count(tick), axis(tick), bottom + 17, "faint", anchor="middle")
    yield words(unit, (axis.start + axis.end) / 2, bottom + 37, "faint", anchor="middle")


def _row(row: BarRow, axis: Axis, top: float) -> Iterator[Element]:
    middle = top + _ROW / 2
    yield words(row.short_label, axis.start - _SIDE, middle + 4, anchor="end")
    for bar in row.bars:
        start, width = axis(bar.start), max(axis(bar.end) - axis(bar.start), 1.0)
        tip, y = element("title", text=bar.tip), middle - _BAR / 2
        classes = f"bar {bar.style}"
        yield element("rect", tip, class_=classes, x=start, y=y, width=width, height=_BAR)
