"""How to train, as data: read, written, and reduced to what determines a run."""

import pytest

from harness.errors import ConfigError
from harness.training.config import TrainConfig
from harness.training.randomness import address

BUDGET = {"budget": {"tokens": "1k"}}


def test_what_is_written_is_read_back():
    config = TrainConfig.read({**BUDGET, "batch_size": 3, "optimizer": {"name": "adamw", "lr": 1}})
    assert TrainConfig.read(config.to_dict()) == config


def test_the_identity_leaves_defaults_out():
    explicit = TrainConfig.read(BUDGET).to_dict()
    identity = TrainConfig.read(explicit).identity()
    assert identity == {
        "budget": {"tokens": 1000},
        "optimizer": {"name": "adamw"},
        "schedule": {"name": "cosine"},
    }
    assert TrainConfig.read({**BUDGET, "optimizer": {"lr": 0.5}}).identity() != identity


def test_options_without_a_name_are_those_of_the_default():
    config = TrainConfig.read({**BUDGET, "optimizer": {"lr": 0.5}, "schedule": {"final": 0.1}})
    assert config.optimizer.name == "adamw"
    assert config.optimizer.options["lr"] == 0.5
    assert config.schedule.options["final"] == 0.1


def test_all_mistakes_are_told_at_once():
    given = {"budget": {}, "batch_size": 0, "optimizer": {"lrr": 1}, "schedul": "cosine"}
    with pytest.raises(ConfigError) as caught:
        TrainConfig.read(given)
    paths = {problem.path for problem in caught.value.problems}
    assert paths == {("budget",), ("batch_size",), ("optimizer", "lrr"), ("schedul",)}


def test_addresses_are_their_own():
    keys = [(s, p, i) for s in (0, 1) for p in ("step", "replica") for i in (0, 1, 2)]
    assert len({address(*key) for key in keys}) == len(keys)
    assert address(3, "step", 4) == address(3, "step", 4)
    assert all(0 <= address(*key) < 2**63 for key in keys)
