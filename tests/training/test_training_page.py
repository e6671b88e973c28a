"""docs/training.md: what it writes is read, and nothing that there is is missing."""

import re

import pytest
from lab import ROOT
from ruamel.yaml import YAML

from harness.training.config import TrainConfig
from harness.training.optimizers import OPTIMIZER
from harness.training.schedules import SCHEDULE
from harness.training.stages import Stage

PAGE = (ROOT / "docs" / "training.md").read_text()
BLOCKS = [YAML(typ="safe", pure=True).load(b.split("```")[0]) for b in PAGE.split("```yaml\n")[1:]]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_training_on_the_page_is_read(block):
    config = TrainConfig.read(block["train"])
    assert TrainConfig.read(config.to_dict()) == config
    # what the page calls a default is one
    assert TrainConfig.read({**BLOCKS[0]["train"], **block["train"]}) == config


@pytest.mark.parametrize(
    "names",
    [OPTIMIZER, SCHEDULE, TrainConfig.model_fields, Stage.model_fields],
    ids=["optimizers", "schedules", "keys", "stages"],
)
def test_everything_that_may_be_named_is_on_the_page(names):
    assert {*names} <= set(re.findall(r"\w+", PAGE))


def test_the_page_is_found_from_the_readme():
    assert "(docs/training.md)" in (ROOT / "README.md").read_text()
