"""Lines over two axes: learning curves, and losses against a setting."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.quantities import format_count
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

Point = tuple[float, float]

_TOP, _BOTTOM, _LEFT, _RIGHT = 12.0, 260.0, 52.0, 12.0
_LINE_OF_LEGEND = 20.0
_LONGEST = 40
_MOST_LABELS = 8
_MOST_LETTERS = 6
"""That fit beside an axis."""


@dataclass(frozen=True)
class Line:
    """A line with its band, and dots that say what they are."""

    label: str
    """The legend leaves out a line whose label is empty."""
    style: str
    """Classes of the chart's style sheet."""
    points: Sequence[Point]
    low: Sequence[Point] = ()
    high: Sequence[Point] = ()
    dots: Sequence[tuple[Point, str]] = ()
    marks: Mapping[str, Point] = field(default_factory=dict)
    """Diamonds, by what they say."""

    @property
    def all_points(self) -> list[Point]:
        """Everything that has to be in view."""
        dots = [point for point, _ in self.dots]
        return [*self.points, *self.low, *self.high, *dots, *self.marks.values()]


def line_chart(
    title: str,
    x_title: str,
    y_title: str,
    lines: Sequence[Line],
    *,
    log_ticks: Sequence[float] = (),
    names: Mapping[float, str] | None = None,
) -> str:
    """Draw lines.

    With `log_ticks` the x axis is logarithmic and has its ticks there; with `names` it has those
    names where they are.
    """
    points = [point for each in lines for point in each.all_points]
    legend, height = _legend(lines)
    top, bottom = _TOP + height, _BOTTOM + height
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_axis = Axis.around(xs, _LEFT, WIDTH - _RIGHT, log=bool(log_ticks))
    y_axis = Axis.around(ys, bottom, top)
    ticks = list(names or log_ticks or x_axis.ticks())
    ground = _ground(x_axis, y_axis, ticks, x_title, names)
    drawn = [mark for each in lines for mark in _line(each, x_axis, y_axis)]
    head = words(y_title, 0, top - 4 if height else 9, "faint")
    return drawing(bottom + 44, title, *legend, head, *ground, *drawn)


def _legend(lines: Sequence[Line]) -> tuple[list[Element], float]:
    """Write the names over the chart, in as many lines as it takes."""
    x, y, drawn = 0.0, 14.0, []
    named = [one for one in lines if one.label]
    if not named:
        return [], 0.0
    for each in named:
        name = each.label if len(each.label) <= _LONGEST else f"{each.label[: _LONGEST - 3]}..."
        width = 46 + PER_LETTER * len(name)
        if x and x + width > WIDTH:
            x, y = 0.0, y + _LINE_OF_LEGEND
        drawn.append(line(x, y - 4, x + 20, y - 4, f"line {each.style}"))
        drawn.append(words(name, x + 25, y))
        x += width
    return drawn, y + 22


def _ground(
    x: Axis, y: Axis, ticks: Sequence[float], x_title: str, names: Mapping[float, str] | None
) -> Iterator[Element]:
    for tick, label in _labels(y, y.ticks()).items():
        yield line(x.start, y(tick), x.end, y(tick), "grid")
        yield words(label, x.start - 8, y(tick) + 4, "faint", anchor="end")
    every = -(-len(ticks) // _MOST_LABELS)
    for i, (tick, label) in enumerate((names or _labels(x, ticks, counts=True)).items()):
        yield line(x(tick), y.start, x(tick), y.start + 4, "grid")
        if i % every == 0:
            yield words(label, x(tick), y.start + 18, "faint", anchor="middle")
    yield words(x_title, (x.start + x.end) / 2, y.start + 37, "faint", anchor="middle")


def _labels(axis: Axis, ticks: Sequence[float], *, counts: bool = False) -> dict[float, str]:
    """Write ticks as counts such as `18k` where those are wanted, or fit better, and differ."""
    if axis.log:
        return {tick: f"{tick:.3g}" for tick in ticks}
    exact = {tick: axis.form()(tick) for tick in ticks}
    short = {tick: format_count(tick) for tick in ticks}
    if len(set(short.values())) < len(ticks):
        return exact
    return short if counts or max(map(len, exact.values())) > _MOST_LETTERS else exact


def _line(each: Line, x: Axis, y: Axis) -> Iterator[Element]:
    def placed(points: Sequence[Point]) -> list[Point]:
        return [(x(a), y(b)) for a, b in points]

    if each.low and each.high:
        area = [*placed(each.high), *reversed(placed(each.low))]
        yield path(area, f"band {each.style}", closed=True)
    if len(each.points) > 1:
        yield path(placed(each.points), f"line {each.style}")
    for (a, b), tip in each.dots:
        yield dot(x(a), y(b), each.style, tip)
    for tip, (a, b) in each.marks.items():
        at, height, size = x(a), y(b), 6
        corners = [(at, height - size), (at + size, height), (at, height + size)]
        diamond = path([*corners, (at - size, height)], f"mark {each.style}", closed=True)
        diamond.append(element("title", text=tip))
        yield diamond
