"""Configurations of other projects are read whole, or refused by the key."""

import re

import pytest
import torch

from harness.core.counts import count_parameters
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from harness.interop.foreign import RASCHKA, TABLES, read_config
from variants.presets import preset

DENSE = {
    "vocab_size": 100,
    "emb_dim": 32,
    "n_layers": 2,
    "n_heads": 4,
    "n_kv_groups": 1,
    "head_dim": 8,
    "context_length": 64,
    "hidden_dim": 64,
}
MOE = {
    **DENSE,
    "hidden_dim": None,
    "moe_hidden_dim": 64,
    "num_experts": 4,
    "num_experts_per_tok": 2,
}
FULL = {
    **DENSE,
    "head_dim": None,
    "moe_hidden_dim": None,
    "num_experts": 0,
    "num_experts_per_tok": None,
    "dtype": torch.bfloat16,
    "rope_base": 1_000_000.0,
    "qk_norm": True,
}


def without(config, key):
    return {k: v for k, v in config.items() if k != key}


def variant(config, project):
    return VariantSpec.read(read_config(config, project))


def count(config, project):
    with torch.device("meta"):
        return count_parameters(LanguageModel(variant(config, project))).unique


@pytest.mark.row("R2-01")
def test_a_dictionary_of_all_documented_keys_builds_the_model_that_it_describes():
    assert {*FULL, "moe_intermediate_size"} == set(RASCHKA)
    spec = variant(FULL, "raschka")
    sizes = spec.dims.model_dump()
    assert sizes == {
        "d_model": 32, "n_layers": 2, "n_heads": 4, "head_dim": 8, "d_ff": 64, "vocab_size": 100,
        "max_seq_len": 64,
    }  # fmt: skip
    (attention,), (position,) = spec.attention, spec.position
    assert (attention.name, attention.options["n_kv_heads"]) == ("gqa", 1)
    assert attention.options["qk_norm"] == "head"
    assert position.to_dict() == {"name": "rope", "theta": 1e6}
    assert spec.ffn[0].name == "swiglu" and not spec.tie_embeddings
    assert spec.precision.train.name == spec.precision.infer.name == "bf16"


@pytest.mark.row("R2-01")
@pytest.mark.parametrize(
    ("config", "params"),
    [
        (DENSE, 23_968),
        (MOE, 61_088),
        ({**DENSE, "vocab_size": 257, "n_kv_groups": 2, "qk_norm": True}, 35_072),
    ],
    ids=["dense", "experts", "normalised"],
)
def test_small_configurations_have_the_counts_of_their_project(config, params):
    assert count(config, "raschka") == params


@pytest.mark.row("R2-01")
def test_both_names_of_the_width_of_an_expert_are_read():
    renamed = without(MOE, "moe_hidden_dim")
    spec = variant({**renamed, "moe_intermediate_size": 48}, "raschka")
    (moe,) = spec.ffn
    assert (moe.name, moe.options["d_ff"], moe.options["n_experts"]) == ("moe", 48, 4)
    assert moe.options["top_k"] == 2 and moe.options["normalize_top_k"]
    assert moe.options["balance_loss"] == 0
    with pytest.raises(ConfigError, match=r"moe_intermediate_size: contradicts moe_hidden_dim"):
        read_config({**MOE, "moe_intermediate_size": 48}, "raschka")


@pytest.mark.row("R2-01")
def test_without_a_head_dim_the_width_is_divided_by_the_heads_or_refused():
    assert variant({**DENSE, "head_dim": None, "n_heads": 2}, "raschka").dims.head_dim == 16
    with pytest.raises(ConfigError, match=r"d_model \(32\) must be divisible by n_heads \(5\)"):
        variant({**DENSE, "head_dim": None, "n_heads": 5}, "raschka")


@pytest.mark.row("R2-02")
def test_rotations_default_to_what_the_project_says_and_presets_say_a_million():
    assert variant(DENSE, "raschka").position[0].options["theta"] == 10_000
    given = {**DENSE, "rope_base": 1_000_000.0}
    assert variant(given, "raschka").position[0].options["theta"] == 1_000_000
    for name in ("qwen3-0.6b", "qwen3-32b"):
        assert VariantSpec.read(preset(name)).position[0].options["theta"] == 1_000_000


@pytest.mark.row("R3-25")
def test_all_fourteen_fields_of_tlama_are_read_with_their_defaults():
    assert len(TABLES["tlama"]) == 14
    default = variant({}, "tlama")
    assert default.dims.d_model == 4096 and default.dims.vocab_size == 128_000
    assert (default.dims.n_layers, default.dims.n_heads, default.dims.max_seq_len) == (32, 32, 2048)
    assert default.attention[0].options["n_kv_heads"] == 32
    assert default.attention[0].options["qk_norm"] == "none"
    assert default.norm[0].options["eps"] == 1e-5
    assert default.position[0].to_dict() == {"name": "rope_interleaved", "theta": 500_000}
    assert default.init.std == 0.02 and not default.tie_embeddings
    written = {
        "d_model": 1024, "n_layers": 12, "n_heads": 16, "n_kv_heads": 4, "vocab_size": 32_000,
        "multiple_of": 256, "ffn_dim_multiplier": None, "norm_eps": 1e-5, "rope_theta": 500_000.0,
        "max_batch_size": 32, "max_seq_len": 2048, "use_parallel": False, "kv_cache": True,
        "weight_init": [0.02, 0.0],
    }  # fmt: skip
    assert written.keys() == TABLES["tlama"].keys()
    assert count(written, "tlama") == 200_827_904


@pytest.mark.row("R3-25")
def test_a_multiplier_widens_as_that_project_widens():
    """Without the factor 2/3, which it keeps only where no multiplier is given."""
    small = {"d_model": 64, "n_layers": 1, "n_heads": 4, "vocab_size": 16, "multiple_of": 8}
    plain, given = (
        count({**small, "ffn_dim_multiplier": m}, "tlama") - 2 * 16 * 64 - 64 - 2 * 64 - 4 * 64**2
        for m in (None, 1.0)
    )
    assert (plain, given) == (3 * 64 * 176, 3 * 64 * 256)


@pytest.mark.row("R4-01")
def test_the_defaults_of_the_7m_model_are_its_preset():
    assert variant({}, "small_model") == VariantSpec.read(preset("reference-4"))
    given = {"d_k": 32, "n_kv_groups": 2, "sliding_window": 1024, "attention_bias": False}
    assert variant(given, "small_model") == variant({}, "small_model")
    assert count({}, "small_model") == 7_029_824
    wide = variant({"n_kv_heads": 4, "dropout": 0.2, "rms_norm_eps": 1e-5}, "small_model")
    assert wide.attention[0].options["n_kv_heads"] == 4
    assert wide.dropout == 0.2 and wide.norm[0].options["eps"] == 1e-5


@pytest.mark.row("R2-01")
@pytest.mark.parametrize(
    ("config", "project", "message"),
    [
        ({**DENSE, "emb_dims": 3}, "raschka", "unknown key 'emb_dims'. Did you mean 'emb_dim'"),
        (without(DENSE, "emb_dim"), "raschka", "emb_dim: is missing"),
        (without(DENSE, "hidden_dim"), "raschka", "hidden_dim: is missing"),
        ({**MOE, "num_experts_per_tok": None}, "raschka", "num_experts_per_tok: is missing"),
        ({**MOE, "moe_hidden_dim": None}, "raschka", "moe_hidden_dim: is missing"),
        ({**DENSE, "dtype": "float16"}, "raschka", "dtype: unknown type 'float16'"),
        ({"use_parallel": True}, "tlama", "use_parallel: must be false"),
        ({"weight_init": (0.02, 0.1)}, "tlama", "weight_init: must have a mean of 0"),
        ({"rope_thetas": 1.0}, "tlama", "Did you mean 'rope_theta'"),
        ({"n_kv_groups": 3}, "small_model", r"n_kv_groups: must be n_heads / n_kv_heads \(2\)"),
        ({"batch_size": 8}, "small_model", "batch_size: unknown key 'batch_size'"),
        ({}, "lama", "unknown project 'lama'. Did you mean 'tlama'"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_by_its_key(config, project, message):
    with pytest.raises(ConfigError) as caught:
        read_config(config, project)
    assert re.search(message, str(caught.value))


@pytest.mark.parametrize("project", TABLES)
def test_every_key_has_its_effect(project):
    """Of each key that has a place in our YAML, another value makes another variant."""
    whole = {"raschka": {**MOE, "hidden_dim": 96}, "tlama": {}, "small_model": {}}[project]
    before = read_config(whole, project)
    other = {"dtype": "bfloat16", "qk_norm": True, "attention_bias": True, "weight_init": (0.5, 0)}
    for key, about in TABLES[project].items():
        now = whole.get(key, about.default)
        changed = other.get(key, 2 * now if isinstance(now, int | float) else 7)
        config = {**whole, key: changed}
        if key == "moe_intermediate_size":
            del config["moe_hidden_dim"]
        if about.ours:
            assert read_config(config, project) != before, key
