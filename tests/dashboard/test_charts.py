"""What is drawn is what was computed, in the arm's own colour, and never too much of it."""

import numpy as np
import pandas as pd
import pytest
from synthetic_store import OFFSETS

from dashboard.charts import curve_figure, difference_figure, position_figure
from dashboard.data import ExperimentStore, load, positions
from dashboard.marks import label
from dashboard.theme import COLOURS, arm_styles
from harness.analysis.words.seeds import seed_differences
from harness.analysis.words.titles import title
from harness.analysis.words.traces import CurveView, traces

NOTHING = pd.DataFrame(columns=["arm", "seed", "x", "y", "status"])


@pytest.fixture
def heads(results, monkeypatch):
    monkeypatch.setenv("ABLATE_RESULTS", str(results))
    return load(ExperimentStore(results), "heads")


def _differences(experiment):
    contrasts = experiment.comparison.contrasts
    seeds = [seed_differences(experiment.plan, experiment.runs, contrast) for contrast in contrasts]
    return contrasts, difference_figure(contrasts, seeds, arm_styles(experiment.plan), "val_bpb")


def test_intervals_are_drawn_where_they_were_computed(heads):
    contrasts, figure = _differences(heads)
    drawn = [trace for trace in figure.data if trace.marker.symbol == "diamond"]
    for contrast, trace in zip(contrasts, drawn, strict=True):
        assert trace.x[0] + trace.error_x.array[0] == pytest.approx(contrast.high)
        assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(contrast.low)


def test_the_seed_dots_average_to_the_difference(heads):
    for contrast in heads.comparison.contrasts:
        by_seed = seed_differences(heads.plan, heads.runs, contrast)
        assert list(by_seed) == heads.plan["seeds"]
        assert np.mean(list(by_seed.values())) == pytest.approx(contrast.difference)


def test_a_difference_says_its_unit_and_zero_is_in_view(heads):
    _, figure = _differences(heads)
    assert "bits per byte" in figure.layout.xaxis.title.text
    assert figure.layout.xaxis.rangemode == "tozero"
    assert figure.layout.shapes[0].x0 == 0


def test_an_arm_keeps_its_colour_when_others_have_no_curve(heads):
    view = CurveView("tokens", "val_bpb")
    only = list(traces(heads.curves[heads.curves["arm"] == "mqa"], view))
    figure = curve_figure(only, arm_styles(heads.plan), view, NOTHING)
    assert figure.data[-1].line.color == COLOURS[2]


def test_more_arms_than_colours_differ_in_their_dashes():
    styles = arm_styles({"arms": [f"arm{i}" for i in range(4 * len(COLOURS))]})
    assert len(set(styles.values())) == 4 * len(COLOURS)


def test_single_seeds_are_a_line_each_and_an_arm_once_in_the_legend(heads):
    view = CurveView("tokens", "train_loss", "single seeds")
    figure = curve_figure(list(traces(heads.curves, view)), arm_styles(heads.plan), view, NOTHING)
    assert len(figure.data) == 15
    assert [t.name for t in figure.data if t.showlegend] == ["mha", "gqa_2", "mqa"]
    assert "seed 3" in figure.data[3].hovertemplate
    assert figure.layout.xaxis.title.text == "training tokens"


def test_losses_by_position_are_averaged_over_the_seeds_of_each_arm(heads):
    rows = positions(heads)
    assert len(rows) == 3 * 5 * 3
    figure = position_figure(rows, arm_styles(heads.plan))
    assert [line.name for line in figure.data] == ["mha", "gqa_2", "mqa"]
    for line, offset in zip(figure.data, OFFSETS.values(), strict=True):
        assert list(line.x) == [1, 2, 3]  # from the first token on, though the axis is logarithmic
        assert line.y[1] == pytest.approx(3.0 + offset)
        ours = rows[(rows["arm"] == line.name) & (rows["first"] == 2)]
        assert line.y[2] == pytest.approx(ours["loss"].mean())
    assert figure.data[2].line.color == COLOURS[2]


def test_columns_of_sets_are_titled_by_their_metric():
    assert title("recall/val_accuracy") == "recall: validation accuracy (fraction of tokens)"
    assert (title("val_bpb"), title("gate")) == ("validation bits per byte", "gate")


def test_names_are_no_markup():
    assert label("<b>x</b>") == "&lt;b&gt;x&lt;/b&gt;"
    assert len(label("x" * 99)) == 40
