"""An experiment with a tokenizer that was made elsewhere."""

import pytest
from lab import ablate, attempts, write_yaml

from harness.data.tokenizers import TOKENIZER


@pytest.fixture
def file(tmp_path):
    learned = TOKENIZER["bpe"](vocab_size=300)
    learned.train(["the quick brown fox jumps over a lazy dog"] * 2)
    learned.save(tmp_path)
    return tmp_path / "tokenizer.json"


def test_an_experiment_is_run_with_it_and_told_where_it_is_wrong(small, tmp_path, file):
    data = small(arms={"swiglu": {}}, seeds=1)
    data["base"]["data"]["tokenizer"] = {"name": "file", "path": str(file)}
    yaml = write_yaml(tmp_path / "x.yaml", data)
    ended = ablate("run", yaml, "--inline", results=tmp_path / "results")
    assert ended.code == 0, ended.err
    [attempt] = attempts(tmp_path / "results")
    assert attempt.read_result().metrics["val_bpb"] > 0
    assert attempt.read_run().config["variant"]["vocab_size"] == 289
    file.write_text("{}")
    ended = ablate("run", yaml, "--inline", results=tmp_path / "results")
    assert ended.code == 2
    assert "is no file of the library tokenizers" in ended.err and "x.yaml:" in ended.err
