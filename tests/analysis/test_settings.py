"""What two arms train with alike, and what not, from their plan."""

import copy

import pytest

from harness.analysis.verdicts.settings import setting_differences, shared_settings

ARM = {
    "train": {
        "budget": {"tokens": 500_000},
        "batch_size": 4,
        "seq_len": 128,
        "optimizer": {"name": "adamw", "lr": 0.004},
        "schedule": {"name": "cosine", "final": 0.0},
    },
    "data": {"corpus": {"name": "sotu"}, "max_documents": None},
    "variant": {"init": {"std": 0.05, "outputs": "zero"}, "dropout": 0.0, "d_ff": 352},
    "init_from": None,
}
EVERYTHING = ["the budget (500k tokens)", "the batches", "the learning rate and its schedule"]


def changed(path, value):
    arm = copy.deepcopy(ARM)
    *outer, last = path.split(".")
    place = arm
    for key in outer:
        place = place[key]
    place[last] = value
    return arm


def test_equal_arms_share_everything():
    assert shared_settings([ARM, copy.deepcopy(ARM), ARM]) == EVERYTHING
    assert setting_differences(ARM, copy.deepcopy(ARM)) == {}


@pytest.mark.parametrize(
    ("path", "value", "lost", "name", "words"),
    [
        ("train.budget", {"tokens": 1_000}, 0, "budget.tokens", "1000 against 500000"),
        ("train.seq_len", 64, 1, "seq_len", "64 against 128"),
        ("data.max_documents", 9, 1, "data.max_documents", "9 against none"),
        ("train.optimizer.lr", 1e-3, 2, "optimizer.lr", "0.001 against 0.004"),
        ("train.schedule.final", 0.1, 2, "schedule.final", "0.1 against 0"),
        ("variant.init.outputs", "normal", None, "init.outputs", "normal against zero"),
        ("variant.dropout", 0.1, None, "dropout", "0.1 against 0"),
        ("variant.d_ff", 64, None, None, None),
    ],
)
def test_what_one_arm_changes_is_named_and_no_longer_shared(path, value, lost, name, words):
    other = changed(path, value)
    assert setting_differences(other, ARM) == ({name: words} if name else {})
    assert shared_settings([ARM, other]) == [w for i, w in enumerate(EVERYTHING) if i != lost]


def test_options_that_one_optimizer_has_go_with_its_name():
    other = changed("train.optimizer", {"name": "muon", "lr": 0.01, "momentum": 0.9})
    assert setting_differences(other, ARM) == {
        "optimizer.name": "muon against adamw",
        "optimizer.lr": "0.01 against 0.004",
    }


def test_weights_that_are_given_are_named_by_their_folder():
    warm = changed("init_from", {"folder": "out", "digest": "ab"})
    assert setting_differences(warm, ARM) == {
        "initial weights": "those of out against drawn from the seed"
    }
    assert shared_settings([ARM, warm]) == EVERYTHING


@pytest.mark.parametrize(
    ("budget", "words"),
    [({"flops": 3e12}, "3T FLOPs"), ({"steps": 40}, "40 steps"), ({"seconds": 90.0}, "1 m 30 s")],
)
def test_a_budget_in_words(budget, words):
    assert shared_settings([changed("train.budget", budget)])[0] == f"the budget ({words})"


def test_different_units_of_budget_are_both_named():
    steps = changed("train.budget", {"steps": 40})
    assert setting_differences(steps, ARM) == {
        "budget.steps": "40 against none",
        "budget.tokens": "none against 500000",
    }
