"""Each page on an empty store, on a full one, and from a link."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic_store import QUESTION

from dashboard.text import literal
from harness.analysis.verdicts.compare import compare
from harness.analysis.words.summary import comparison_dict
from harness.store.experiments import ExperimentStore

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = [
    {
        "slot": "attention",
        "name": "gqa",
        "aliases": ["mqa"],
        "summary": "Queries *share* `K` heads.",
        "fault": "",
        "source": "Ainslie et al. 2023, arXiv:2305.13245.",
        "options": [
            {"name": "n_kv_heads", "type": "int", "required": True, "meaning": "Divides heads."}
        ],
        "cost": {
            "params": 870_000,
            "train_flops_per_token": 6e6,
            "cache_bytes": 1000,
            "seq_len": 256,
            "cache_dtype": "bfloat16",
        },
    },
    {
        "slot": "position",
        "name": "head_rope",
        "aliases": [],
        "summary": "Turns heads.",
        "fault": "Turns heads, not positions.",
        "source": "",
        "options": [],
        "cost": None,
    },
    {"slot": "attention", "name": "mine", "broken": "mine.py, line 3: invalid syntax"},
]


@pytest.fixture
def entries(monkeypatch):
    """A catalogue without the seconds that the real one takes; the browser test has that one."""
    monkeypatch.setattr("dashboard.catalogue.catalogue", lambda: ENTRIES)


def _said(app):
    kinds = ("markdown", "text", "caption", "error", "warning", "info", "code", "subheader")
    return "\n".join(element.value for kind in kinds for element in app.get(kind))


@pytest.mark.parametrize("page", ["overview", "runs", "curves"])
def test_an_empty_store_says_what_to_type(open_page, tmp_path, page):
    app = open_page(tmp_path / "none", page)
    assert not app.exception
    assert app.code[0].value == "ablate run experiments/ablations/quickstart.yaml"


@pytest.mark.parametrize("page", ["overview", "runs", "curves"])
def test_a_corrupt_experiment_is_an_error_beside_the_others(open_page, results, page):
    app = open_page(results, page)
    assert not app.exception
    assert len(app.error) == 1
    assert r"torn\/plan\.json" in app.error[0].value
    assert len(app.get("plotly_chart")) + len(app.dataframe) > 0


def test_the_overview_says_what_the_command_line_says(open_page, results):
    app = open_page(results, experiment="heads")
    tables = ExperimentStore(results).open("heads")
    expected = comparison_dict(compare(tables.plan, tables.runs), tables.plan)
    texts = [text.value for text in app.text]
    assert texts == [QUESTION, *(contrast["sentence"] for contrast in expected["contrasts"])]
    [note] = expected["notes"]
    assert literal(note) in [caption.value for caption in app.caption]
    for arm, shown in zip(expected["arms"], app.dataframe[0].value.iloc[:, 1], strict=True):
        mean, half_width = map(float, shown.split(" ± "))
        assert mean == pytest.approx(arm["mean"], abs=1e-3)
        assert half_width == pytest.approx((arm["high"] - arm["low"]) / 2, abs=1e-3)


def test_the_overview_names_lost_runs(open_page, results):
    app = open_page(results, experiment="positions")
    assert "seed 3\\: failed" in app.warning[0].value
    assert "refused" in _said(app)


@pytest.mark.parametrize("page", ["overview", "runs", "curves"])
def test_an_unknown_experiment_is_not_found(open_page, results, page):
    app = open_page(results, page, experiment="../../etc/passwd")
    assert not app.exception
    assert "was not found" in app.warning[0].value


def test_losses_by_position_are_drawn_when_asked_for(open_page, results):
    charts = [
        len(open_page(results, "curves", experiment="heads", **asked).get("plotly_chart"))
        for asked in ({}, {"by_position": "true"})
    ]
    assert charts == [1, 2]


def test_filters_come_from_the_link(open_page, results):
    app = open_page(results, "runs", experiment="positions", status="failed")
    (row,) = app.dataframe[0].value.to_dict("records")
    assert (row["arm"], row["seed"], row["cause"]) == (
        "none",
        3,
        "out of *memory* :smile: :material/home: :red[x]",
    )


def test_an_unknown_filter_falls_back(open_page, results):
    app = open_page(results, "runs", experiment="heads", status="exploded")
    assert not app.exception
    assert len(app.dataframe[0].value) == 15


def test_another_experiment_drops_the_filter_it_has_not(open_page, results):
    app = open_page(results, "runs", experiment="heads")
    app.multiselect(key="arm").select("mqa").run()
    assert len(app.dataframe[0].value) == 5
    app.selectbox(key="experiment").select("positions").run()
    assert not app.exception
    assert len(app.dataframe[0].value) == 8


def test_a_curve_view_comes_from_the_link(open_page, results):
    query = {"x": "seconds", "seeds": "single seeds", "metric": "train_loss", "log_x": "true"}
    app = open_page(results, "curves", experiment="heads", **query)
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert figure["layout"]["xaxis"]["title"]["text"] == "training time (seconds)"
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert "nats" in figure["layout"]["yaxis"]["title"]["text"]
    assert len(figure["data"]) == 15


def test_where_a_run_was_lost_is_marked(open_page, results):
    app = open_page(results, "curves", experiment="positions")
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert figure["data"][-1]["text"] == ["none, seed 3: failed"]


@pytest.mark.usefixtures("entries")
def test_components_of_an_empty_store_are_listed(open_page, tmp_path):
    app = open_page(tmp_path / "none", "components")
    assert not app.exception
    assert "no stored experiment" in _said(app)


@pytest.mark.usefixtures("entries")
def test_components_are_listed_with_their_users_and_the_broken_ones(open_page, results):
    app = open_page(results, "components")
    said = _said(app)
    assert not app.exception
    assert "Used by: heads, positions" in said
    assert "https://arxiv.org/abs/2305.13245" in said
    assert r"broken: mine\.py\, line 3" in app.error[0].value
    assert app.table[0].value["default"].tolist() == ["required"]
    assert app.table[0].value["meaning"].tolist() == [r"Divides heads\."]
    assert app.warning[0].value == r"Turns heads\, not positions\."


def test_the_dashboard_needs_no_torch(results):
    pages = [f"app_pages/{page}.py" for page in ("overview", "runs", "curves", "components")]
    code = f"""
import sys
import dashboard.catalogue
dashboard.catalogue.catalogue = lambda: []
from streamlit.testing.v1 import AppTest
for page in {pages}:
    app = AppTest.from_file('dashboard/app.py', default_timeout=30).switch_page(page).run()
    assert not app.exception, app.exception
heavy = {{"torch", "harness.core", "harness.experiments", "harness.training"}}
sys.exit(", ".join(sorted(heavy & set(sys.modules))) or 0)
"""
    environment = {**os.environ, "ABLATE_RESULTS": str(results)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
