"""docs/data.md: what it writes is read, and nothing that there is is missing."""

import re

import pytest
from lab import ROOT, experiment, write_yaml
from ruamel.yaml import YAML

from harness.data.corpora import CORPUS
from harness.data.dataset import DataConfig
from harness.data.splits import SPLIT
from harness.data.tokenizers import TOKENIZER
from harness.experiments.planning.loading import load_experiment

PAGE = (ROOT / "docs" / "data.md").read_text()
BLOCKS = [YAML(typ="safe", pure=True).load(b.split("```")[0]) for b in PAGE.split("```yaml\n")[1:]]


@pytest.mark.parametrize("block", [b for b in BLOCKS if "data" in b], ids=str)
def test_data_on_the_page_are_read(block, tmp_path, monkeypatch):
    learned = TOKENIZER["bpe"](vocab_size=300)
    learned.train(["a text"])
    (tmp_path / "qwen3").mkdir()
    learned.save(tmp_path / "qwen3")
    monkeypatch.chdir(tmp_path)
    config = DataConfig.read(block["data"])
    assert DataConfig.read(config.to_dict()) == config


def test_an_experiment_on_the_page_is_read(tmp_path):
    [content] = [block for block in BLOCKS if "factors" in block]
    common = experiment("nowhere")
    del common["arms"], common["baseline"], common["base"]["data"]
    common["base"]["train"]["seq_len"] = 64
    loaded = load_experiment(write_yaml(tmp_path / "x.yaml", {**common, **content}))
    assert len(loaded.resolved.arms) == 4


@pytest.mark.parametrize("registry", [CORPUS, TOKENIZER, SPLIT], ids=lambda r: r.slot)
def test_everything_that_may_be_named_is_on_the_page(registry):
    assert {*registry} <= set(re.findall(r"\w+", PAGE.replace("```", "")))


def test_the_page_is_found_from_the_readme():
    assert "(docs/data.md)" in (ROOT / "README.md").read_text()
