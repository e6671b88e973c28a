"""One description of a model: written, read back, and refused by the field that is wrong."""

import json

import pytest
import torch

from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from variants.presets import PRESETS, preset


def read(name="qwen3-0.6b", **changes):
    return VariantSpec.read({"vocab_size": 64, **preset(name), **changes})


@pytest.mark.row("R1-04")
@pytest.mark.parametrize("name", PRESETS)
def test_a_variant_survives_json(name):
    spec = read(name)
    again = VariantSpec.read(json.loads(json.dumps(spec.to_dict())))
    assert again == spec and again.identity() == spec.identity()


@pytest.mark.row("R1-04")
def test_what_was_changed_survives_json():
    changes = {
        "attention": [{"name": "gqa", "n_kv_heads": 4, "bias": True}, "mqa"],
        "precision": {"train": "bf16", "infer": "fp32"},
        "init": {"std": 0.1, "outputs": "zero"},
        "dropout": 0.25,
        "logit_softcap": 30.0,
    }
    spec = read(**changes)
    again = VariantSpec.read(json.loads(json.dumps(spec.to_dict())))
    assert again == spec != read()
    assert again.layer("attention", 1).options["n_kv_heads"] == 1


@pytest.mark.row("R1-04")
@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"n_layer": 3}, "n_layer", "unknown key 'n_layer'. Did you mean 'n_layers'"),
        ({"attention": {"name": "gqa", "n_kv": 2}}, "attention.n_kv", "unknown key 'n_kv'"),
        ({"d_ff": 0}, "d_ff", "greater than or equal to 1"),
        ({"d_model": "wide"}, "d_model", "whole number"),
        ({"ffn": "swigluu"}, "ffn", "Did you mean 'swiglu'"),
        ({"init": {"stdd": 1}}, "init.stdd", "Did you mean 'std'"),
    ],
)
def test_a_field_that_is_wrong_is_named(changes, path, words):
    with pytest.raises(ConfigError) as caught:
        read(**changes)
    (problem,) = caught.value.problems
    assert ".".join(map(str, problem.path)) == path and words in problem.message


@pytest.mark.row("R1-04")
def test_heads_that_do_not_divide_are_refused_when_the_model_is_built():
    with (
        torch.device("meta"),
        pytest.raises(ConfigError, match=r"n_heads \(16\) must be a multiple of n_kv_heads \(3\)"),
    ):
        LanguageModel(read(attention={"name": "gqa", "n_kv_heads": 3}))
