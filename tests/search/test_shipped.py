"""The shipped searches can be asked, and those that have been are committed as they were asked."""

import pytest
import torch
from lab import ROOT

from harness.search.proposals import Proposals
from harness.search.question import load_search
from harness.store.runs import RunStore
from harness.store.studies import StudyStore

SEARCHES = sorted((ROOT / "experiments/searches").glob("*.yaml"))


def test_there_are_searches_to_begin_with():
    assert {path.stem for path in SEARCHES} == {"learning-rate", "shape", "small-kv"}


@pytest.mark.parametrize("path", SEARCHES, ids=lambda path: path.stem)
def test_a_shipped_search_can_be_asked(path, tmp_path):
    search = load_search(path)
    assert search.name == path.stem
    assert search.file.question.endswith("?")
    proposals = Proposals(search, RunStore(tmp_path), torch.device("cpu"))
    drawn = proposals.draw(4)
    assert any(one.run and not one.violations for one in drawn)


def test_a_study_that_is_committed_asks_what_its_file_asks():
    studies = StudyStore(ROOT / "results")
    for name in studies.names():
        search = load_search(ROOT / f"experiments/searches/{name}.yaml")
        definition = studies.open(name).read_definition()
        assert definition["question"] == search.file.question
        assert set(definition["space"]) == set(search.source.data["space"])
        assert [one["key"] for one in definition["objectives"]] == search.source.data["objectives"]
        ended = [e for e in studies.open(name).events() if e["event"] == "ended"]
        assert ended
