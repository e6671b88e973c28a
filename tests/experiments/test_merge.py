"""How an arm changes the base."""

import pytest

from harness.experiments.files.merge import merge
from harness.experiments.question.arms import with_preset
from variants.presets import PRESETS

GQA = {"name": "gqa", "n_kv_heads": 2, "bias": True}


def test_mappings_merge_key_by_key_at_any_depth():
    base = {"a": {"b": {"c": 1, "d": 2}, "e": 3}}
    assert merge(base, {"a": {"b": {"c": 9}}}) == {"a": {"b": {"c": 9, "d": 2}, "e": 3}}


@pytest.mark.parametrize("named", [{"name": "mla"}, {"name": "gqa", "n_kv_heads": 1}, "mqa"])
def test_a_replaced_component_does_not_inherit_options(named):
    assert merge({"attention": GQA}, {"attention": named}) == {"attention": named}


def test_a_mapping_without_a_name_changes_options_of_what_is_there():
    assert merge({"attention": GQA}, {"attention": {"n_kv_heads": 1}}) == {
        "attention": {"name": "gqa", "n_kv_heads": 1, "bias": True}
    }
    assert merge({"attention": "gqa"}, {"attention": {"bias": True}}) == {
        "attention": {"name": "gqa", "bias": True}
    }


def test_a_list_is_replaced_whole_and_replaces():
    assert merge({"ffn": ["gelu", "swiglu"]}, {"ffn": {"name": "gelu"}})["ffn"]["name"] == "gelu"
    assert merge({"ffn": {"name": "gelu", "x": 1}}, {"ffn": ["swiglu"]}) == {"ffn": ["swiglu"]}


def test_a_budget_is_replaced_whole():
    assert merge({"budget": {"tokens": 5}}, {"budget": {"steps": 3}}) == {"budget": {"steps": 3}}


def test_one_side_of_a_precision_can_be_changed():
    base, change = {"precision": "bf16"}, {"precision": {"infer": "fp32"}}
    assert merge(base, change) == {"precision": {"train": "bf16", "infer": "fp32"}}


def test_neither_side_is_changed_in_place():
    base, patch = {"a": {"b": 1}}, {"a": {"c": 2}}
    merge(base, patch)["a"]["d"] = 3
    assert (base, patch) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_an_arm_that_names_a_preset_starts_from_it():
    base = {"preset": "qwen3-0.6b", "n_layers": 3, "ffn": "gelu"}
    assert with_preset(base, {"preset": "tiny", "d_ff": 64}) == {**PRESETS["tiny"], "d_ff": 64}
    assert with_preset(base, {"d_ff": 64}) == {
        **PRESETS["qwen3-0.6b"],
        "n_layers": 3,
        "ffn": "gelu",
        "d_ff": 64,
    }


def test_a_presets_component_keeps_its_options_where_only_others_change():
    written = with_preset({"preset": "tiny"}, {"attention": {"bias": True}})
    assert written["attention"] == {"name": "gqa", "n_kv_heads": 2, "bias": True}
    assert "bias" not in PRESETS["tiny"]["attention"]
