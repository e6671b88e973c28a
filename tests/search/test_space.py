"""A space is what the file says, and a point of it is a change of the base."""

import numpy as np
import pytest

from harness.errors import ConfigError
from harness.search.space_keys import read_point, read_space

CONDITIONAL = {
    "variant.attention": ["gqa", "mla", {"name": "gqa", "window": 8}],
    "variant.attention.n_kv_heads": {"choices": [1, 2], "when": {"variant.attention": "gqa"}},
    "variant.attention.kv_rank": {
        "low": 8,
        "high": 32,
        "step": 8,
        "when": {"variant.attention": "mla"},
    },
    "train.optimizer.lr": {"low": 1e-4, "high": 1e-2, "log": True},
}


def test_a_point_is_the_patch_of_an_arm():
    space = read_space(CONDITIONAL)
    point = {"variant.attention": "gqa", "variant.attention.n_kv_heads": 2}
    patch = {"variant": {"attention": {"name": "gqa", "n_kv_heads": 2}}}
    assert space.patch(point) == patch
    named = {"variant.attention": "gqa(window=8)", "train.optimizer.lr": 0.001}
    assert space.patch(named) == {
        "variant": {"attention": {"name": "gqa", "window": 8}},
        "train": {"optimizer": {"lr": 0.001}},
    }


def test_an_option_of_the_base_s_component_needs_no_name():
    space = read_space({"variant.attention.n_kv_heads": [1, 2]})
    assert space.patch({"variant.attention.n_kv_heads": 1}) == {
        "variant": {"attention": {"n_kv_heads": 1}}
    }


def test_a_conditional_parameter_is_there_only_under_its_condition():
    space = read_space(CONDITIONAL)
    rng = np.random.default_rng(0)
    seen = set()
    for point in (space.draw(rng) for _ in range(60)):
        seen.add(point["variant.attention"])
        assert ("variant.attention.n_kv_heads" in point) == (point["variant.attention"] == "gqa")
        assert ("variant.attention.kv_rank" in point) == (point["variant.attention"] == "mla")
        assert 1e-4 <= point["train.optimizer.lr"] <= 1e-2
    assert seen == {"gqa", "mla", "gqa(window=8)"}


def test_the_size_counts_what_the_walk_yields():
    finite = {k: v for k, v in CONDITIONAL.items() if k != "train.optimizer.lr"}
    space = read_space({**finite, "variant.d_ff": {"low": 16, "high": 60, "step": 16}})
    points = [tuple(point.items()) for point in space.points()]
    assert len(set(points)) == len(points) == space.size == (2 + 4 + 1) * 3
    assert read_space(CONDITIONAL).size is None


def test_two_branches_may_write_the_same_path():
    heads = {"path": "variant.n_heads"}
    space = read_space(
        {
            "variant.attention": ["gqa", "mla"],
            "few": {**heads, "choices": [1], "when": {"variant.attention": "gqa"}},
            "many": {**heads, "choices": [4], "when": {"variant.attention": "mla"}},
        }
    )
    assert space.patch({"variant.attention": "mla", "many": 4})["variant"]["n_heads"] == 4


WIDTH = {"path": "variant.d_ff", "choices": [8]}
WRONG = {
    "a path of nothing": ({"variants.n_layers": [1, 2]}, "must begin with variant., data., train."),
    "no values": ({"variant.n_layers": {"low": 1}}, "must be a list of choices, or have"),
    "an empty list": ({"variant.n_layers": []}, "must list at least one choice"),
    "a choice twice": ({"variant.n_layers": [1, 1]}, "listed twice"),
    "bounds the wrong way": ({"train.optimizer.lr": {"low": 1.0, "high": 0.1}}, "below `high`"),
    "a logarithm of nothing": (
        {"train.optimizer.lr": {"low": 0.0, "high": 0.1, "log": True}},
        "above 0, as its logarithm is taken",
    ),
    "a step of a logarithm": (
        {"variant.d_ff": {"low": 8, "high": 64, "step": 8, "log": True}},
        "does not go together",
    ),
    "a broken step": ({"variant.d_ff": {"low": 8, "high": 64, "step": 0.5}}, "whole number"),
    "a mistyped key": ({"variant.d_ff": {"lo": 8, "high": 64}}, "Did you mean 'low'"),
    "both": ({"variant.d_ff": {"low": 8, "choices": [8]}}, "stands beside `choices`"),
    "the budget": ({"train.budget.steps": [4, 8]}, "given alike"),
    "the preset": ({"variant.preset": ["tiny"]}, "given alike"),
    "a later condition": (
        {"variant.d_ff": {"choices": [8], "when": {"variant.ffn": "gelu"}}},
        "unknown parameter above this one",
    ),
    "an unknown value": (
        {
            "variant.ffn": ["gelu"],
            "variant.d_ff": {"choices": [8], "when": {"variant.ffn": "gelo"}},
        },
        "Did you mean 'gelu'",
    ),
    "one path twice": (
        {"variant.d_ff": [8], "again": {"path": "variant.d_ff", "choices": [16]}},
        "at the same time",
    ),
    "nothing": ({}, "at least one parameter"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_space_that_is_none_is_refused(case):
    written, told = WRONG[case]
    with pytest.raises(ConfigError, match=told.replace(".", r"\.").replace("(", r"\(")):
        read_space(written)


@pytest.mark.parametrize(
    ("point", "told"),
    [
        ({"variant.atention": "gqa"}, "Did you mean 'variant.attention'"),
        ({"variant.attention": "gka"}, "must be one of its values"),
        ({"train.optimizer.lr": 1.0}, "must be one of its values"),
        ({"variant.attention": "mla", "variant.attention.n_kv_heads": 1}, "only there when"),
    ],
)
def test_a_point_that_is_none_is_refused(point, told):
    with pytest.raises(ConfigError, match=told):
        read_point(point, read_space(CONDITIONAL))
