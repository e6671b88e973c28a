"""One thread, checked shapes, and no folder of the user's: what holds for every test."""

import os
import tempfile
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

torch.set_num_threads(1)
# before anything of ours is imported: shapes in signatures are then checked at every call
install_import_hook(["harness.core", "variants"], "beartype.beartype")
pytest.register_assert_rewrite("harness.contracts")


def pytest_addoption(parser):
    parser.addoption("--row", action="append", help="only tests that cover this row, as in R2-14")


def pytest_collection_modifyitems(config, items):
    if not torch.cuda.is_available():
        config.hook.pytest_deselected(items=[i for i in items if i.get_closest_marker("gpu")])
        items[:] = [item for item in items if not item.get_closest_marker("gpu")]
    chosen = set(config.getoption("--row") or ())
    if chosen:
        rows = {item: {row for m in item.iter_markers("row") for row in m.args} for item in items}
        config.hook.pytest_deselected(items=[item for item in items if not chosen & rows[item]])
        items[:] = [item for item in items if chosen & rows[item]]


@pytest.fixture(autouse=True, scope="session")
def folders_of_this_session():
    """Keep the user's caches and results out of reach, also of subprocesses."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="ablate-tests-") as folder:
        for variable in ("ABLATE_CACHE", "ABLATE_RESULTS"):
            os.environ[variable] = str(Path(folder) / variable.lower())
        yield
    os.environ.clear()
    os.environ.update(before)
