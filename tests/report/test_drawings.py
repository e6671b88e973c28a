"""What is drawn is where it was computed."""

import xml.etree.ElementTree as ElementTree

import pytest

from harness.report.charts.intervals import IntervalRow, interval_chart
from harness.report.charts.lines import Line, line_chart
from harness.report.charts.svg import WIDTH, element, short, standalone

ROW = IntervalRow("b - a", "worse", "a1", 0.02, 0.01, 0.03, {"seed 0: +0.02": 0.02})


def found(svg, tag):
    root = ElementTree.fromstring(svg)
    return list(root.iterfind(f".//{{http://www.w3.org/2000/svg}}{tag}"))


def middle(diamond):
    x = [float(point.split(",")[0]) for point in diamond.get("d").strip("MZ").split("L")]
    return x[0]


def test_a_value_is_in_the_middle_of_its_interval_and_zero_is_in_view():
    svg = interval_chart("t", "u", [ROW], around_zero=True)
    bar = next(
        e for e in found(svg, "line") if e.get("class") == "line" and e.get("y1") == e.get("y2")
    )
    [diamond] = [e for e in found(svg, "path") if e.get("class") == "mark"]
    low, high = float(bar.get("x1")), float(bar.get("x2"))
    assert middle(diamond) == pytest.approx((low + high) / 2, abs=0.1)
    [zero] = [e for e in found(svg, "line") if e.get("class") == "zero"]
    assert 0 < float(zero.get("x1")) < low
    [seed] = found(svg, "circle")
    assert float(seed.get("cx")) == pytest.approx(middle(diamond), abs=0.1)


def test_a_margin_is_a_band_around_zero():
    svg = interval_chart("t", "u", [ROW], around_zero=True, margin=0.01)
    [band] = found(svg, "rect")
    bar = next(e for e in found(svg, "line") if e.get("class") == "line")
    right = float(band.get("x")) + float(band.get("width"))
    assert right == pytest.approx(float(bar.get("x1")), abs=0.2)
    assert found(interval_chart("t", "u", [ROW], around_zero=True), "rect") == []


def test_a_refused_row_is_faint():
    refused = IntervalRow("c - a", "refused", "a2", 0.0, None, None, {}, muted=True)
    svg = interval_chart("t", "u", [ROW, refused], around_zero=True)
    assert [e.get("class") for e in found(svg, "g")] == ["a1", "a2 muted"]


def test_words_that_do_not_fit_beside_a_label_go_below_it():
    long = IntervalRow(
        "x" * 40, "not resolved: +0.008 (-0.004 to +0.020)", *list(vars(ROW).values())[2:]
    )
    texts = {e.text: e for e in found(interval_chart("t", "u", [long]), "text")}
    label, said = texts["x" * 40], texts[long.said]
    assert float(said.get("y")) > float(label.get("y"))
    texts = {e.text: e for e in found(interval_chart("t", "u", [ROW]), "text")}
    assert texts["b - a"].get("y") == texts["worse"].get("y")


def test_a_line_goes_through_its_points_and_dots_say_what_they_are():
    points = [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]
    svg = line_chart("t", "x", "y", [Line("mha", "a0", points, dots=[((3.0, 1.0), "seed <7>")])])
    [path] = [e for e in found(svg, "path") if e.get("class") == "line a0"]
    places = [tuple(map(float, p.split(","))) for p in path.get("d")[1:].split("L")]
    assert places[1][0] - places[0][0] == pytest.approx(places[2][0] - places[1][0], abs=0.2)
    assert places[0][1] < places[1][1] < places[2][1]  # a lower loss is lower
    [dot] = found(svg, "circle")
    assert (float(dot.get("cx")), float(dot.get("cy"))) == pytest.approx(places[2], abs=0.1)
    assert dot.find("{*}title").text == "seed <7>"


def test_many_names_go_on_in_the_next_line():
    lines = [Line(f"an arm with a name {i}", "a0", [(0.0, 0.0), (1.0, 1.0)]) for i in range(9)]
    svg = line_chart("t", "x", "y", lines)
    names = [e for e in found(svg, "text") if (e.text or "").startswith("an arm")]
    assert len({e.get("y") for e in names}) > 1
    assert all(float(e.get("x")) < WIDTH for e in names)
    height = float(ElementTree.fromstring(svg).get("viewBox").split()[3])
    few = float(
        ElementTree.fromstring(line_chart("t", "x", "y", lines[:1])).get("viewBox").split()[3]
    )
    assert height > few


def test_text_is_escaped_and_what_xml_cannot_hold_is_left_out():
    svg = standalone(interval_chart("<b>&", "u\x00", [ROW]))
    assert ElementTree.fromstring(svg).find("{*}title").text == "<b>&"


def test_coordinates_are_short():
    assert [short(x) for x in (1.0, -0.04, 2.25, 100)] == ["1", "0", "2.2", "100"]
    assert element("a", stroke_width=1.04, class_="x").attrib == {"stroke-width": "1", "class": "x"}
