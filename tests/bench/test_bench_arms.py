"""The benchmark of arms times each of them on the same tokens, and says where."""

import io
from dataclasses import replace

import pytest
import torch
from lab import ROOT
from rich.console import Console

from harness.analysis.verdicts.compare import compare
from harness.analysis.words.columns import all_columns
from harness.bench.arms import Answering, arms_view, bench_arms, training_step
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.errors import AblateError
from harness.inference.greedy import greedy
from harness.store.experiments import ExperimentStore
from harness.store.latency import Latency, read_latency, write_latency

SIZES = {"d_model": 16, "n_layers": 1, "n_heads": 2, "d_ff": 32, "vocab_size": 64}


def plan_of(max_seq_len=24, seq_len=16):
    variants = {
        "gqa": {**SIZES, "max_seq_len": max_seq_len, "attention": {"name": "gqa", "n_kv_heads": 1}},
        "linear": {**SIZES, "max_seq_len": max_seq_len, "attention": "linear", "position": "none"},
    }
    train = {"seq_len": seq_len}
    arms = {
        name: {"variant": VariantSpec.read(variant).to_dict(), "train": train}
        for name, variant in variants.items()
    }
    return {"name": "small", "arms": arms}


@pytest.fixture(scope="module")
def found():
    return bench_arms(plan_of(), 3, 1, torch.device("cpu"), Console(file=io.StringIO()))


def test_every_arm_is_timed_on_the_same_tokens(found):
    assert list(found.arms) == ["gqa", "linear"]
    assert (found.n_prompt, found.n_new, found.rounds) == (12, 12, 3)
    for speed in found.arms.values():
        assert speed.prefill_tokens_per_s > 0
        assert speed.decode_ms_per_token > 0
        assert speed.train_tokens_per_s > 0
    assert found.has_training
    assert found.environment["class"].startswith("cpu-torch")
    assert "1 CPU thread" in found.words


def test_what_is_timed_is_greedy_decoding():
    variant = plan_of()["arms"]["gqa"]["variant"]
    torch.manual_seed(0)
    arm = Answering({**variant, "init": {"std": 0.3}}, 12, 5, torch.device("cpu"))
    arm.prefill()
    first = arm.token
    arm.decode()
    expected = greedy(arm.model, arm.prompt, 6)
    assert isinstance(arm.model, LanguageModel)
    assert first.item() == expected[0, 0]
    assert arm.token.item() == expected[0, 5]


def test_a_prompt_leaves_room_for_the_answer():
    with pytest.raises(AblateError, match="room for 1 tokens"):
        bench_arms(plan_of(1, 1), 3, 1, torch.device("cpu"), Console(file=io.StringIO()))


def test_an_arm_that_has_changed_is_not_shown_with_old_speeds(found, tmp_path):
    write_latency(tmp_path, found)
    plan = plan_of()
    assert read_latency(tmp_path, plan) == found
    plan["arms"]["linear"]["variant"]["d_ff"] = 48
    again = read_latency(tmp_path, plan)
    assert list(again.arms) == ["gqa"]
    assert again.of("linear") is None
    plan["arms"]["gqa"]["variant"]["d_ff"] = 48
    assert read_latency(tmp_path, plan) is None


def test_a_step_is_one_of_the_arms_own_training():
    arm = plan_of()["arms"]["gqa"] | {
        "train": {"batch_size": 3, "seq_len": 16, "optimizer": {"name": "sgd", "lr": 0.5}}
    }
    step, n_tokens = training_step(arm, torch.device("cpu"))
    first, second = step(), step()
    assert (n_tokens, second.tokens) == (48, 96)
    assert (first.step, second.step) == (1, 2)
    assert first.lr < second.lr <= 0.5  # warming up to the rate of this arm
    assert second.train_loss < first.train_loss


def test_more_rounds_than_a_training_reports_are_refused():
    with pytest.raises(AblateError, match="at most 90 rounds, but got 91"):
        bench_arms(plan_of(), 91, 1, torch.device("cpu"), Console(file=io.StringIO()))


def test_timed_training_stands_for_the_speed_of_the_runs(found):
    tables = ExperimentStore(ROOT / "results").open("hybrid")
    comparison, speed = compare(tables.plan, tables.runs), found.arms["gqa"]
    timed = replace(found, arms=dict.fromkeys(tables.plan["arms"], speed))
    titles = [column.title for column in all_columns(comparison, tables.plan, timed)]
    assert "training tokens/s" in titles and "tokens/s" not in titles
    old = replace(speed, train_tokens_per_s=None, train_spread=None)
    answered = replace(found, arms=dict.fromkeys(tables.plan["arms"], old))
    titles = [column.title for column in all_columns(comparison, tables.plan, answered)]
    assert "tokens/s" in titles and "training tokens/s" not in titles


def test_speeds_are_shown_with_where_they_were_measured(found):
    console = Console(file=io.StringIO(), width=200)
    console.print(arms_view(found))
    shown = console.file.getvalue()
    assert "decode ms/token" in shown and "gqa" in shown and found.words in shown
    gpu = replace(found, environment={"gpu": "H", "class": "cuda-torch2", "threads": 1})
    assert "on H (cuda-torch2)" in Latency(**vars(gpu)).words


def test_the_committed_experiments_have_arms_that_can_be_timed():
    plan = ExperimentStore(ROOT / "results").open("hybrid").plan
    for arm in plan["arms"].values():
        answering = Answering(arm["variant"], 4, 1, torch.device("cpu"))
        answering.prefill()
        answering.decode()
        assert answering.token.shape == (1, 1)
