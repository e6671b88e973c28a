"""Experiments that hold the same runs are named."""

import pytest
from test_documents import PLAN, planned

from harness.store.experiments import ExperimentStore
from harness.store.shared import shared_with


@pytest.fixture
def experiments(tmp_path):
    store = ExperimentStore(tmp_path)
    for name, ids in (("ffn", "ab"), ("norm", "bc"), ("attention.half", "a"), ("attention", "a")):
        store.write_plan({**PLAN, "name": name, "runs": [planned(one) for one in ids]})
    return store


def test_other_experiments_with_a_run_of_an_arm_are_named(experiments):
    runs = [planned("a"), planned("b"), {**planned("d"), "arm": "mqa"}]
    assert shared_with(experiments, "attention", runs) == {"gqa": ["ffn", "norm"]}
    assert shared_with(experiments, "attention.half", runs[:1]) == {"gqa": ["ffn"]}
    assert shared_with(experiments, "ffn", runs[:1]) == {"gqa": ["attention", "attention.half"]}


def test_runs_that_only_choose_a_setting_are_not_shared(experiments):
    assert shared_with(experiments, "attention", [planned("a", purpose="tuning")]) == {}


def test_a_plan_that_cannot_be_read_is_left_out(experiments):
    (experiments.folder("ffn") / "plan.json").write_text("{")
    assert shared_with(experiments, "attention", [planned("a"), planned("b")]) == {"gqa": ["norm"]}
