"""`ablate report` writes its pages where they are wanted, also in a clone without runs."""

import pytest
from lab import ablate, files
from stored import write


@pytest.fixture
def results(tmp_path):
    write(tmp_path / "results")
    return tmp_path / "results"


def test_the_pages_lie_beside_the_tables(results):
    ended = ablate("report", "heads", results=results)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [
        str(results / "experiments/heads" / page) for page in ("report.html", "report.md")
    ]
    figures = [f"figures/{name}.svg" for name in ("arms", "curves", "differences")]
    assert {*figures, "report.html", "report.md"} <= set(files(results / "experiments/heads"))


def test_another_folder_is_filled_and_nothing_else(results, tmp_path):
    before = files(results)
    ended = ablate("report", "heads", "--out", tmp_path / "out", results=results)
    assert ended.code == 0, ended.err
    assert len(files(tmp_path / "out")) == 5
    assert files(results) == before


def test_an_unknown_experiment_is_one_message(results):
    ended = ablate("report", "head", results=results)
    assert ended.code == 2
    assert "Did you mean 'heads'?" in ended.err
    assert "Traceback" not in ended.err
