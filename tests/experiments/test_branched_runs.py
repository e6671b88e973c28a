"""Several budgets from one training: branches are metrics like any other."""

import pytest
from lab import ablate, write_yaml

from harness.errors import ConfigError
from harness.store.experiments import ExperimentStore

WSD = {"name": "wsd", "warmup": 0.1, "decay": 0.5, "branch_at": [0.5]}


def written(small, **analysis):
    data = small(analysis={"metric": "at_0.5/val_loss", **analysis})
    data["base"]["train"] |= {"schedule": WSD, "budget": {"steps": 8}}
    return data


def test_an_experiment_may_be_about_a_branch(small, tmp_path):
    ended = ablate(
        "run", write_yaml(tmp_path / "x.yaml", written(small)), "--inline", results=tmp_path
    )
    assert ended.code == 0, ended.err
    runs = ExperimentStore(tmp_path).open("small").runs
    assert (runs["at_0.5/tokens"] * 2 == runs["tokens"]).all()
    assert (runs["at_0.5/val_loss"] != runs["val_loss"]).all()
    assert "at_0.5/val_loss" in ended.out


def test_a_branch_that_an_arm_lacks_is_no_metric(small, plan):
    data = written(small)
    data["arms"]["gelu"]["train"] = {"schedule": {"name": "wsd"}}
    with pytest.raises(ConfigError, match=r"analysis\.metric: unknown metric 'at_0\.5/val_loss'"):
        plan(data)
