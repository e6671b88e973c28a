"""A small store, and the app on top of it."""

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from synthetic_store import OFFSETS, write_experiment

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """Two experiments, one of which lost a run, and one whose plan is corrupt."""
    root = tmp_path_factory.mktemp("results")
    write_experiment(root, "heads", OFFSETS, range(5))
    lost = [("none", 3, "failed")]
    write_experiment(root, "positions", {"rope": 0.0, "none": 0.1}, range(4), lost, position="none")
    corrupt = root / "experiments" / "torn" / "plan.json"
    corrupt.parent.mkdir()
    corrupt.write_text("{")
    return root


@pytest.fixture(autouse=True)
def main_module():
    """Take back what the app has put in its place: processes that start later would import it."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture
def open_page(monkeypatch):
    """Open a page of the app on a results root, with query parameters."""

    def open_page(root, page="overview", **query):
        monkeypatch.setenv("ABLATE_RESULTS", str(root))
        app = AppTest.from_file(str(APP), default_timeout=30)
        for key, value in query.items():
            app.query_params[key] = value
        return app.switch_page(f"app_pages/{page}.py").run()

    return open_page
