"""Tuning is a page of its own; the overview has every number, other conditions and the report."""

import json

import pytest
from stored import NOISE, OPTIMUM, write

from dashboard.charts import difference_figure, sensitivity_figure
from dashboard.data import load
from dashboard.theme import COLOURS, arm_styles
from harness.analysis.statistics.values import fit_of
from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.sensitivity import of_report, of_tuning
from harness.analysis.words.seeds import seed_differences
from harness.report.pages import html_page
from harness.report.write import stored_report
from harness.store.experiments import ExperimentStore


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A tuned experiment, another design of it, and one whose arms had the same settings."""
    root = tmp_path_factory.mktemp("tuned")
    others = [{"kind": "design", "name": "re_spent", "experiment": "heads.re_spent"}]
    others.append({"kind": "budget", "name": "0.5x", "experiment": "heads.0.5x"})
    write(root, tune=True, conditions=others)
    write(root, name="heads.re_spent")
    write(root, name="plain")
    return root


@pytest.fixture
def experiment(tuned):
    return load(ExperimentStore(tuned), "heads")


def test_the_fitted_minimum_is_marked_in_the_arms_colour(experiment):
    plan, runs = experiment.plan, experiment.runs
    figure = sensitivity_figure(of_report(plan, runs), arm_styles(plan), "val_bpb", "learning rate")
    marks = [trace for trace in figure.data if trace.marker.symbol == "diamond"]
    for i, (arm, mark) in enumerate(zip(plan["arms"], marks, strict=True)):
        fit = fit_of(plan, runs, arm)
        assert (mark.x[0], mark.y[0]) == (fit.optimum, fit.minimum)
        assert mark.x[0] == pytest.approx(OPTIMUM)
        assert mark.marker.color == COLOURS[i]
    line = figure.data[0]
    assert min(line.y) == pytest.approx(marks[0].y[0], abs=1e-5)
    assert figure.layout.xaxis.type == "log"


def test_every_seed_of_a_setting_is_a_dot(experiment):
    plan, runs = experiment.plan, experiment.runs
    for found, n_settings, seeds in (
        (of_report(plan, runs), 3, set(NOISE)),
        (of_tuning(plan, runs), 5, {10**6, 10**6 + 1}),
    ):
        for each in found:
            assert len(each.trials) == n_settings * len(seeds)
            assert {trial.seed for trial in each.trials} == seeds


def test_the_page_shows_both_kinds_of_seeds_and_the_price(open_page, tuned):
    app = open_page(tuned, "tuning", experiment="heads")
    assert not app.exception
    figures = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    assert [figure["layout"]["xaxis"]["title"]["text"] for figure in figures] == 2 * [
        "learning rate"
    ]
    assert app.dataframe[0].value["chosen"].tolist() == 3 * ["0.004 of 0.001 to 0.016"]
    assert any("tuning took 30 runs" in caption.value for caption in app.caption)


def test_what_was_not_tuned_says_how_to(open_page, tuned):
    app = open_page(tuned, "tuning", experiment="plain")
    assert not app.exception
    assert app.code[0].value.startswith("tune:")


def test_every_number_behind_a_verdict_and_every_condition_is_there(open_page, tuned):
    app = open_page(tuned, experiment="heads")
    assert not app.exception
    assert [e.label for e in app.expander] == [
        r"Differences in val\_bpb\, paired by seed",
        r"Does it hold\?",
        "Quality against each cost",
    ]
    _, numbers, conditions, *_ = (frame.value for frame in app.dataframe)
    tables = ExperimentStore(tuned).open("heads")
    contrasts = compare(tables.plan, tables.runs).contrasts
    assert numbers["n"].tolist() == [str(contrast.n) for contrast in contrasts]
    assert numbers["sd"].tolist() == [f"{contrast.sd:.3g}" for contrast in contrasts]
    assert conditions["under"].tolist() == 2 * ["design re_spent"]
    assert conditions["verdict"].tolist() == ["not resolved", "worse"]
    assert r"budget 0\.5x has not been run" in [caption.value for caption in app.caption]


def test_the_report_can_be_downloaded(open_page, tuned):
    app = open_page(tuned, experiment="heads")
    [button] = app.get("download_button")
    assert button.label == "Report"
    page = html_page(stored_report(ExperimentStore(tuned), "heads"))
    assert "budget 0.5x has not been run" in page and "design re_spent" in page


def test_a_margin_is_a_band_around_zero(experiment):
    contrasts = experiment.comparison.contrasts
    seeds = [seed_differences(experiment.plan, experiment.runs, c) for c in contrasts]
    styles = arm_styles(experiment.plan)
    with_margin, without = (
        difference_figure(contrasts, seeds, styles, "val_bpb", margin) for margin in (0.003, None)
    )
    [band] = [shape for shape in with_margin.layout.shapes if shape.type == "rect"]
    assert (band.x0, band.x1) == (-0.003, 0.003)
    assert all(shape.type != "rect" for shape in without.layout.shapes)
