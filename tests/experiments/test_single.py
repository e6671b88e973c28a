"""`ablate train`: one run by itself, of the same store as those of experiments."""

import json

import pytest
from lab import ablate, attempts, experiment, files, write_corpus, write_yaml

SMALL = ("train.budget.steps=3", "train.batch_size=2", "train.seq_len=16", "data.tokenizer=byte")


@pytest.fixture
def file(tmp_path):
    return write_yaml(tmp_path / "small.yaml", experiment(write_corpus(tmp_path / "texts")))


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.mark.row("R4-30")
def test_a_preset_is_trained_and_its_three_metrics_are_printed(results):
    ended = ablate("train", "tiny", *SMALL, "--inline", results=results)
    assert ended.code == 0, ended.err
    (attempt,) = attempts(results)
    metrics = attempt.read_result().metrics
    for label, key in {
        "nats per token": "val_loss",
        "perplexity": "val_perplexity",
        "accuracy": "val_accuracy",
        "bits per byte": "val_bpb",
    }.items():
        (line,) = [line for line in ended.out.splitlines() if label in line]
        assert line.split()[-1] == f"{metrics[key]:.4f}"
    assert str(attempt.weights) in ended.out.replace("\n", "")
    assert attempt.checked_weights().exists()
    assert len(attempt.read_curve()) == 3


@pytest.mark.row("R4-30")
def test_what_is_trained_is_not_trained_again(results):
    first = ablate("train", "tiny", *SMALL, "--inline", "--json", results=results)
    before = files(results)
    second = ablate("train", "tiny", *SMALL, "--inline", "--json", results=results)
    assert "in the store already" in second.err
    assert json.loads(second.out) == json.loads(first.out)
    assert files(results) == before


def test_an_arm_of_a_file_is_the_run_of_its_experiment(file, results):
    alone = ablate("train", file, "--arm", "gelu", "--seed", "1", "--inline", results=results)
    assert alone.code == 0, alone.err
    whole = ablate("run", file, "--inline", results=results)
    assert "4 runs, 1 of them already in the store" in whole.out


def test_without_an_arm_it_is_the_baseline_and_without_arms_the_base(file, tmp_path, results):
    ended = ablate("train", file, "--inline", results=results)
    assert "swiglu seed 0" in ended.out
    written = experiment(tmp_path / "texts")
    base = write_yaml(tmp_path / "base.yaml", {"base": written["base"]})
    ended = ablate("train", base, "--inline", results=results)
    assert "in the store already" in ended.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tinny"], "'tinny' is no file; unknown preset 'tinny'. Did you mean 'tiny'?"),
        (["none.yaml"], "none.yaml  no such file"),
        (["tiny", "train.optimizer.lrr=3"], "Did you mean 'lr'?"),
        (["tiny", "--arm", "bas"], "unknown arm 'bas'. Did you mean 'base'?"),
    ],
)
def test_mistakes_are_one_message_and_exit_code_2(results, arguments, message):
    ended = ablate("train", *arguments, "--inline", results=results)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert not results.exists() or files(results) == []


def test_a_run_that_diverges_says_so_and_leaves_no_weights(file, results):
    huge = ["train.optimizer={lr: 100, weight_decay: 1e30}", "train.schedule={warmup: 0}"]
    ended = ablate("train", file, *huge, "--inline", results=results)
    assert ended.code == 1
    assert "diverged swiglu seed 0: the " in ended.out
    assert "the run diverged; the same command tries it again" in ended.err
    assert not attempts(results)[0].has_weights
