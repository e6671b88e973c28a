"""Rows of intervals with a dot for each seed: differences of arms, and the arms themselves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.report.charts.axis import Axis
from harness.report.charts.svg import (
    PER_LETTER,
    WIDTH,
    Element,
    dot,
    drawing,
    element,
    line,
    path,
    words,
)

_ROW, _ABOVE, _BELOW, _SIDE = 52.0, 8.0, 44.0, 8.0
_SECOND_LINE = 18.0
_DIAMOND = 6.0
_LONGEST = 44


@dataclass(frozen=True)
class IntervalRow:
    """A value, its interval if it has one, and the seeds behind it."""

    label: str
    said: str
    """On the right."""
    style: str
    """Classes of the chart's style sheet."""
    value: float | None
    low: float | None
    high: float | None
    seeds: Mapping[str, float]
    """What each dot says, and where it is."""
    muted: bool = False

    @property
    def short_label(self) -> str:
        """The label, cut if it is too long for a line."""
        return self.label if len(self.label) <= _LONGEST else f"{self.label[: _LONGEST - 3]}..."

    @property
    def values(self) -> list[float]:
        """Everything that has to be in view."""
        ends = (self.value, self.low, self.high)
        return [*self.seeds.values(), *(x for x in ends if x is not None)]


def interval_chart(
    title: str,
    unit: str,
    rows: Sequence[IntervalRow],
    *,
    around_zero: bool = False,
    margin: float | None = None,
) -> str:
    """Draw rows of intervals; `around_zero` marks 0 and signs the ticks, `margin` is a band."""
    values = [value for row in rows for value in row.values]
    values += [0.0] * around_zero + ([-margin, margin] if margin else [])
    axis = Axis.around(values, _SIDE, WIDTH - _SIDE)
    second = 0.0 if all(map(_on_one_line, rows)) else _SECOND_LINE
    height_of_row = _ROW + second
    bottom = _ABOVE + height_of_row * len(rows)
    marks: list[Element] = list(_ground(axis, bottom, unit, signed=around_zero))
    if margin:
        left, right = axis(-margin), axis(margin)
        tip = element("title", text=f"practically equal: within {margin:g}")
        width, height = right - left, bottom - _ABOVE
        marks.append(
            element("rect", tip, class_="margin", x=left, y=_ABOVE, width=width, height=height)
        )
    if around_zero:
        marks.append(line(axis(0), _ABOVE, axis(0), bottom, "zero"))
    for i, row in enumerate(rows):
        classes = f"{row.style} muted" if row.muted else row.style
        drawn = _row(row, axis, _ABOVE + i * height_of_row, second)
        marks.append(element("g", *drawn, class_=classes))
    return drawing(bottom + _BELOW, title, *marks)


def _ground(axis: Axis, bottom: float, unit: str, *, signed: bool) -> Iterator[Element]:
    form = axis.form(signed=signed)
    for tick in axis.ticks():
        x = axis(tick)
        yield line(x, _ABOVE, x, bottom, "grid")
        yield words(form(tick), x, bottom + 17, "faint", anchor="middle")
    yield words(unit, WIDTH / 2, bottom + 37, "faint", anchor="middle")


def _on_one_line(row: IntervalRow) -> bool:
    letters = len(row.short_label) + len(row.said)
    return 2 * _SIDE + PER_LETTER * (letters + 2) <= WIDTH


def _row(row: IntervalRow, axis: Axis, top: float, second: float) -> Iterator[Element]:
    yield words(row.short_label, _SIDE, top + 17, "strong")
    if second:
        yield words(row.said, _SIDE, top + 17 + second, "faint")
    else:
        yield words(row.said, WIDTH - _SIDE, top + 17, "faint", anchor="end")
    y = top + 34 + second
    if row.low is not None and row.high is not None:
        low, high = axis(row.low), axis(row.high)
        yield line(low, y, high, y, "line")
        yield from (line(x, y - 5, x, y + 5, "line") for x in (low, high))
    if row.value is not None:
        x, size = axis(row.value), _DIAMOND
        corners = [(x, y - size), (x + size, y), (x, y + size), (x - size, y)]
        yield path(corners, "mark", closed=True)
    for tip, value in row.seeds.items():
        yield dot(axis(value), y + 11, "", tip)
