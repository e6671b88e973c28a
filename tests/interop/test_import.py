"""What transformers saved is read to the last bit; what does not fit is named."""

import json
import re
import shutil

import pytest
import torch
from hub import assert_same_logits, edit_config, lively, save_reference, variant
from safetensors.torch import load_file, save_file

from harness.errors import AblateError
from harness.interop.checkpoint import import_model, open_checkpoint, read_variant
from harness.interop.export import export_model

transformers = pytest.importorskip("transformers")
DENSE = {
    "hidden_size": 40, "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 3,
    "head_dim": 16, "intermediate_size": 56, "vocab_size": 83, "max_position_embeddings": 64,
    "rope_parameters": {"rope_theta": 3e4, "rope_type": "default"}, "rms_norm_eps": 1e-5,
}  # fmt: skip


@pytest.mark.row("R2-33")
@pytest.mark.parametrize(
    "changes",
    [
        {"tie_word_embeddings": True},
        {"tie_word_embeddings": False},
        {"attention_bias": True},
    ],
    ids=str,
)
def test_logits_are_those_of_transformers(changes, tmp_path):
    save_reference(tmp_path, transformers.Qwen3Config(**DENSE, **changes))
    assert_same_logits(import_model(tmp_path), tmp_path)


def test_every_field_arrives(tmp_path):
    save_reference(tmp_path, transformers.Qwen3Config(**DENSE, initializer_range=0.1))
    spec = read_variant(tmp_path)
    assert spec.dims.model_dump() == {
        "d_model": 40, "n_layers": 3, "n_heads": 6, "head_dim": 16, "d_ff": 56,
        "vocab_size": 83, "max_seq_len": 64,
    }  # fmt: skip
    assert (spec.tie_embeddings, spec.init.std) == (False, 0.1)
    assert spec.position[0].options == {"theta": 3e4}
    assert spec.norm[0].options["eps"] == 1e-5
    assert spec.attention[0].options["n_kv_heads"] == 3


EXPERTS = {"moe_intermediate_size": 24, "num_experts": 5, "num_experts_per_tok": 2}
LEFT_OUT = {
    *("rope_parameters", "rms_norm_eps", "tie_word_embeddings", "attention_bias", "hidden_act"),
    *("use_sliding_window", "sliding_window", "max_window_layers", "layer_types"),
    *("norm_topk_prob", "decoder_sparse_step", "mlp_only_layers", "router_aux_loss_coef"),
    "initializer_range",
}


@pytest.mark.parametrize("kind", ["Qwen3Config", "Qwen3MoeConfig"])
def test_fields_that_are_left_out_are_what_transformers_makes_of_them(kind, tmp_path):
    sizes = {key: value for key, value in DENSE.items() if key not in LEFT_OUT}
    config = getattr(transformers, kind)(**sizes, **(EXPERTS if "Moe" in kind else {}))
    save_reference(tmp_path, config)
    edit_config(tmp_path, **dict.fromkeys(LEFT_OUT))
    spec = read_variant(tmp_path)
    assert spec.position[0].options["theta"] == 1e4
    assert (spec.norm[0].options["eps"], spec.init.std) == (1e-6, 0.02)
    if "Moe" in kind:
        assert spec.ffn[0].options["balance_loss"] == 0.001
    assert_same_logits(import_model(tmp_path), tmp_path)


def test_a_width_of_heads_that_is_left_out_is_what_transformers_makes_of_it(tmp_path):
    sizes = {key: value for key, value in DENSE.items() if key != "head_dim"}
    sizes["hidden_size"] = 48
    config = transformers.Qwen3MoeConfig(**sizes, **EXPERTS)
    save_reference(tmp_path / "moe", config)
    assert read_variant(tmp_path / "moe").dims.head_dim == 8
    assert_same_logits(import_model(tmp_path / "moe"), tmp_path / "moe")
    save_reference(tmp_path / "dense", transformers.Qwen3Config(**sizes))
    edit_config(tmp_path / "dense", head_dim=None)
    assert read_variant(tmp_path / "dense").dims.head_dim == 128
    assert_same_logits(import_model(tmp_path / "dense"), tmp_path / "dense")


def test_the_older_way_to_write_angles_is_read(tmp_path):
    save_reference(tmp_path, transformers.Qwen3Config(**DENSE))
    edit_config(tmp_path, rope_parameters=None, rope_theta=50_000)
    assert read_variant(tmp_path).position[0].options == {"theta": 5e4}
    assert_same_logits(import_model(tmp_path), tmp_path)


@pytest.mark.parametrize("older", [False, True], ids=["rope_parameters", "rope_scaling"])
def test_yarn_is_read(older, tmp_path):
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
    fields = {**DENSE, "rope_parameters": {**yarn, "rope_theta": 1e4, "beta_fast": 20}}
    save_reference(tmp_path, transformers.Qwen3Config(**fields))
    if older:
        edit_config(tmp_path, rope_parameters=None, rope_theta=1e4, rope_scaling=yarn)
    (position,) = read_variant(tmp_path).position
    assert (position.name, position.options["original_max_seq_len"]) == ("yarn", 16)
    assert position.options["beta_fast"] == (32 if older else 20)
    assert_same_logits(import_model(tmp_path), tmp_path)


def test_yarn_without_its_first_length_stretches_all_positions(tmp_path):
    yarn = {"rope_type": "yarn", "factor": 2.0, "rope_theta": 1e4}
    save_reference(tmp_path, transformers.Qwen3Config(**{**DENSE, "rope_parameters": dict(yarn)}))
    edit_config(tmp_path, rope_parameters=yarn)
    assert read_variant(tmp_path).position[0].options["original_max_seq_len"] == 64
    assert_same_logits(import_model(tmp_path), tmp_path)


def test_weights_become_fp32_and_what_they_were_is_told(tmp_path):
    save_reference(tmp_path, transformers.Qwen3Config(**DENSE), torch.bfloat16)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.dtypes == ["bfloat16"]
    assert {p.dtype for p in checkpoint.load().parameters()} == {torch.float32}
    assert_same_logits(import_model(tmp_path), tmp_path)


def test_a_tied_head_that_is_stored_all_the_same_is_read(tmp_path):
    model = lively(variant(tie_embeddings=True))
    export_model(model, tmp_path / "out")
    edit_tensors(tmp_path / "out", lambda t: t | {"lm_head.weight": embedding(t).clone()})
    again = import_model(tmp_path / "out")
    assert again.head.weight is again.embedding.weight
    assert torch.equal(again.head.weight, model.head.weight)
    edit_tensors(tmp_path / "out", lambda t: t | {"lm_head.weight": embedding(t) + 1})
    with pytest.raises(AblateError, match=r"lm_head\.weight differs from model\.embed_tokens"):
        open_checkpoint(tmp_path / "out")


def embedding(tensors):
    return tensors["model.embed_tokens.weight"]


def edit_tensors(folder, change):
    file = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    save_file(change(tensors), file, {"format": "pt"})


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "out"
    export_model(lively(variant(tie_embeddings=False)), folder)
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    """Return an exported model that may be damaged."""
    return shutil.copytree(exported, tmp_path / "out")


Q = "model.layers.1.self_attn.q_proj.weight"
DAMAGED = {
    "missing": (
        lambda t: {k: v for k, v in t.items() if k != Q},
        rf"missing: {Q} \(our blocks\.1\.attention\.q_proj\.weight\), which must be \[96, 40\]",
    ),
    "of another shape": (
        lambda t: t | {Q: t[Q][1:].clone()},
        rf"of another shape: {Q} \(our .*\), which must be \[96, 40\], but is \[95, 40\]",
    ),
    "not known": (
        lambda t: t | {"model.layers.1.self_attn.sinks": torch.zeros(6)},
        r"not known: model\.layers\.1\.self_attn\.sinks",
    ),
    "no head": (
        lambda t: {k: v for k, v in t.items() if k != "lm_head.weight"},
        r"missing: lm_head\.weight \(our head\.weight\)",
    ),
    "whole numbers": (lambda t: t | {Q: t[Q].to(torch.int8)}, rf"cannot be read: {Q} is I8"),
    "another layer": (
        lambda t: t | {Q.replace("1", "3"): t[Q].clone()},
        r"not known: model\.layers\.3\.self_attn\.q_proj\.weight",
    ),
}


@pytest.mark.row("R2-33")
@pytest.mark.parametrize(("damage", "said"), DAMAGED.values(), ids=DAMAGED)
def test_tensors_that_do_not_fit_are_named(damage, said, folder):
    edit_tensors(folder, damage)
    with pytest.raises(AblateError, match=said):
        open_checkpoint(folder)


def test_a_long_list_of_tensors_is_cut(folder):
    edit_tensors(folder, lambda t: {"other": torch.zeros(1)})
    with pytest.raises(AblateError, match=r"missing: 28 more\n  not known: other$"):
        open_checkpoint(folder)


@pytest.mark.row("R2-33")
def test_an_absent_head_is_tied_if_the_configuration_says_so(folder):
    edit_tensors(folder, DAMAGED["no head"][0])
    edit_config(folder, tie_word_embeddings=True)
    model = import_model(folder)
    assert model.head.weight is model.embedding.weight
    assert_same_logits(model, folder)


FIELDS = {  # changed fields -> what is said
    "another model": ({"model_type": "llama"}, "model_type: unknown model type 'llama'"),
    "linear scaling": (
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0}},
        "rope_parameters.rope_type: unknown kind 'linear'",
    ),
    "older linear scaling": (
        {"rope_parameters": {}, "rope_scaling": {"type": "linear", "factor": 2.0}},
        "rope_scaling.rope_type: unknown kind 'linear'",
    ),
    "partial rotation": (
        {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
        "rope_parameters.partial_rotary_factor: 0.5 cannot be expressed",
    ),
    "yarn without factor": (
        {"rope_parameters": {"rope_type": "yarn"}},
        "rope_parameters.factor: this key is required",
    ),
    "two thetas": ({"rope_theta": 7e4}, "rope_theta: is 20000.0, but rope_theta beside it is 7"),
    "quantised": ({"quantization_config": {"bits": 4}}, "unknown key 'quantization_config'"),
    "own code": ({"auto_map": {"AutoModel": "x.Y"}}, "unknown key 'auto_map'"),
    "misspelt": ({"rms_norm_epsilon": 1e-6}, "Did you mean 'rms_norm_eps'?"),
    "gelu": ({"hidden_act": "gelu"}, "'silu', but got 'gelu'"),
    "a wrong type": ({"hidden_size": "40"}, "hidden_size: must be a whole number, but got '40'"),
    "a missing size": ({"hidden_size": None}, "hidden_size: this key is required"),
    "kinds of layers": ({"layer_types": ["full_attention"]}, "(3) layers, but names 1"),
    "windows off": (
        {"layer_types": ["sliding_attention"] * 3},
        "layer_types: has windows, but use_sliding_window is false",
    ),
}


@pytest.mark.parametrize(("changes", "said"), FIELDS.values(), ids=FIELDS)
def test_fields_that_cannot_be_expressed_are_named(changes, said, folder):
    edit_config(folder, **changes)
    with pytest.raises(AblateError, match=re.escape(said)) as refused:
        open_checkpoint(folder)
    assert all(str(folder / "config.json") in line for line in str(refused.value).splitlines())


def test_pickled_weights_are_not_read(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(AblateError, match=r"there is no .*; pickled weights .* are not read"):
        open_checkpoint(folder)


def test_a_damaged_file_is_named(folder):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AblateError, match=r"model\.safetensors: cannot be read"):
        open_checkpoint(folder)


def test_an_index_may_not_name_files_elsewhere(folder):
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../other.safetensors"}}))
    with pytest.raises(AblateError, match=r"'\.\./other\.safetensors' is not a file of this"):
        open_checkpoint(folder)
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    with pytest.raises(AblateError, match=r"there is no .*model-1\.safetensors"):
        open_checkpoint(folder)
    index.write_text("[]")
    with pytest.raises(AblateError, match="no index of tensors"):
        open_checkpoint(folder)


def test_a_tensor_in_two_files_is_refused(folder):
    shutil.copy(folder / "model.safetensors", folder / "b.safetensors")
    index = {"weight_map": {"a": "model.safetensors", "b": "b.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(AblateError, match=r"is also in b\.safetensors"):
        open_checkpoint(folder)


@pytest.mark.parametrize("content", [None, "{", "[1]"], ids=["none", "torn", "a list"])
def test_a_folder_without_a_configuration_is_refused(content, tmp_path):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(AblateError, match=r"config\.json"):
        read_variant(tmp_path)
