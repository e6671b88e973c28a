"""A probe is asked by the same file as language, and both stand in one table."""

import pytest
from lab import ablate, write_yaml

from harness.data.dataset import DataConfig, load_dataset
from harness.errors import ConfigError
from harness.store.experiments import ExperimentStore

RECALL = {"name": "associative_recall", "n_pairs": 2, "n_questions": 3, "n_keys": 4, "n_values": 4}


def both_tasks(small):
    """Return an experiment whose arms are two mixers, each on two tasks."""
    data = small(
        factors={
            "mixer": {"gqa": None, "linear": {"variant": {"attention": "linear"}}},
            "task": {"recall": {"data": {"corpus": RECALL}}, "language": None},
        },
        contrasts={"primary": "linear-recall - gqa-recall"},
        analysis={"metric": "val_accuracy"},
        seeds=1,
    )
    language = data["base"].pop("data")
    data["factors"]["task"]["language"] = {"data": language}
    del data["arms"], data["baseline"]
    return data


def test_recall_and_language_stand_in_one_table(small, tmp_path):
    file = write_yaml(tmp_path / "both.yaml", both_tasks(small))
    ended = ablate("run", file, "--inline", results=tmp_path / "results")
    assert ended.code == 0, ended.err + ended.out
    assert "Differences in val_accuracy, paired by seed" in ended.out
    tables = ExperimentStore(tmp_path / "results").open("small")
    runs = tables.runs
    assert len(runs) == 4 and set(runs["status"]) == {"done"}
    assert runs["val_accuracy"].between(0, 1).all() and runs["val_loss"].notna().all()
    recall = runs["factor.task"] == "recall"
    assert runs[~recall]["val_bpb"].notna().all() and runs[recall]["val_bpb"].isna().all()
    assert set(tables.curves["arm"]) == set(runs["arm"])
    language = DataConfig.read(small()["base"]["data"])
    per_epoch = load_dataset(language).order(2, 32, seed=0).tokens_per_epoch
    assert (runs[recall]["epochs"] == 0).all()
    assert runs[~recall]["epochs"].tolist() == [4 * 2 * 32 / per_epoch] * 2
    assert runs["tokens_per_param"].tolist() == (runs["tokens"] / runs["params"]).tolist()
    assert "(undertrained, fewer than 5 tokens per parameter: " in ended.out


def test_bits_per_byte_of_a_probe_are_refused_before_anything_is_trained(small, plan):
    with pytest.raises(
        ConfigError, match=r"arm 'gqa-recall' is not scored on text .* no val_bpb"
    ) as error:
        plan({**both_tasks(small), "analysis": {}})
    assert {p.path for p in error.value.problems} == {("analysis", "metric")}
    assert len(error.value.problems) == 2


def test_a_row_too_short_for_an_example_is_told_with_its_line(small, tmp_path):
    data = both_tasks(small)
    data["base"]["train"]["seq_len"] = 8
    file = write_yaml(tmp_path / "both.yaml", data)
    ended = ablate("run", file, "--inline", results=tmp_path / "results")
    assert ended.code == 2
    assert "seq_len: must be 9 or more, the length of an example, but got 8" in ended.err
    assert "both.yaml:" in ended.err


def test_stages_that_would_cut_examples_are_refused(small, tmp_path):
    data = small(analysis={"metric": "val_accuracy"}, seeds=1)
    data["base"]["data"] = {"corpus": RECALL}
    data["base"]["train"]["stages"] = [{"until": 0.5, "seq_len": 16}]
    ended = ablate("plan", write_yaml(tmp_path / "x.yaml", data), results=tmp_path / "results")
    assert ended.code == 2
    assert "train.stages: a shorter seq_len would cut a probe's examples" in ended.err
