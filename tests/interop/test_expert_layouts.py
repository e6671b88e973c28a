"""Mixtures of experts, to transformers and back, in every layout."""

import json

import pytest
from hub import (
    assert_bit_equal,
    assert_same_logits,
    lively,
    save_reference,
    variant,
)
from safetensors.torch import load_file, save_file

from harness.errors import AblateError, ConfigError
from harness.interop.checkpoint import import_model, open_checkpoint, read_variant
from harness.interop.export import export_model
from harness.interop.expressible import check_expressible

transformers = pytest.importorskip("transformers")
MOE = {"name": "moe", "n_experts": 5, "top_k": 2, "d_ff": 24}
REFERENCE = {
    "hidden_size": 40, "num_hidden_layers": 4, "num_attention_heads": 6, "num_key_value_heads": 3,
    "head_dim": 16, "intermediate_size": 56, "moe_intermediate_size": 24, "num_experts": 5,
    "num_experts_per_tok": 2, "vocab_size": 83, "max_position_embeddings": 64,
    "rope_parameters": {"rope_theta": 3e4, "rope_type": "default"},
}  # fmt: skip


def names(spec):
    return [spec.layer("ffn", i).name for i in range(spec.dims.n_layers)]


@pytest.mark.row("R2-33")
@pytest.mark.parametrize("normalize", [True, False], ids=["normalised", "as they are"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_transformers_computes_the_same_mixture(normalize, tied, tmp_path):
    moe = {**MOE, "normalize_top_k": normalize}
    model = lively(variant(ffn=moe, tie_embeddings=tied))
    export_model(model, tmp_path / "out")
    assert_same_logits(model, tmp_path / "out")
    again = import_model(tmp_path / "out")
    assert again.spec == model.spec
    assert_bit_equal(again, model)


def test_experts_as_wide_as_the_model_says(tmp_path):
    model = lively(variant(ffn={**MOE, "d_ff": None}, d_ff=24))
    export_model(model, tmp_path / "out")
    assert_same_logits(model, tmp_path / "out")
    assert import_model(tmp_path / "out").spec == model.spec


def test_each_expert_is_written_on_its_own(tmp_path):
    export_model(lively(variant(ffn=MOE)), tmp_path / "out", shard_bytes=20_000)
    index = json.loads((tmp_path / "out/model.safetensors.index.json").read_text())
    theirs = {f"model.layers.2.mlp.experts.{e}.down_proj.weight" for e in range(5)}
    assert theirs | {"model.layers.0.mlp.gate.weight"} <= index["weight_map"].keys()
    assert len(set(index["weight_map"].values())) > 5
    assert_bit_equal(import_model(tmp_path / "out"), lively(variant(ffn=MOE)))


@pytest.mark.row("R2-23")
@pytest.mark.parametrize(
    "cycle", [["swiglu", MOE, "swiglu"], [MOE, "swiglu"], [MOE, MOE, "swiglu"]]
)
def test_dense_layers_between_are_expressed(cycle, tmp_path):
    model = lively(variant(ffn=cycle, n_layers=4))
    export_model(model, tmp_path / "out")
    assert_same_logits(model, tmp_path / "out")
    assert names(import_model(tmp_path / "out").spec) == names(model.spec)


@pytest.mark.row("R2-23")
@pytest.mark.parametrize(
    ("step", "dense", "sparse"),
    [(1, [], [0, 1, 2, 3]), (2, [], [1, 3]), (2, [1], [3]), (3, [], [2]), (1, [0, 1], [2, 3])],
)
def test_which_layers_have_experts_is_read(step, dense, sparse, tmp_path):
    about = {"decoder_sparse_step": step, "mlp_only_layers": dense}
    save_reference(tmp_path, transformers.Qwen3MoeConfig(**REFERENCE, **about))
    spec = read_variant(tmp_path)
    assert [i for i, name in enumerate(names(spec)) if name == "moe"] == sparse
    assert_same_logits(import_model(tmp_path), tmp_path)


def test_no_experts_at_all_is_a_dense_model(tmp_path):
    about = {**REFERENCE, "mlp_only_layers": [0, 1, 2, 3]}
    save_reference(tmp_path, transformers.Qwen3MoeConfig(**about))
    assert set(names(read_variant(tmp_path))) == {"swiglu"}
    assert_same_logits(import_model(tmp_path), tmp_path)


@pytest.mark.row("R2-33")
@pytest.mark.parametrize("normalize", [True, False], ids=["normalised", "as they are"])
def test_stacked_and_separate_experts_are_read(normalize, tmp_path):
    config = transformers.Qwen3MoeConfig(**REFERENCE, norm_topk_prob=normalize)
    reference = save_reference(tmp_path, config)
    separate = import_model(tmp_path)
    assert "model.layers.0.mlp.experts.4.up_proj.weight" in load_file(
        tmp_path / "model.safetensors"
    )
    assert_same_logits(separate, tmp_path)
    stacked = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    assert stacked["model.layers.0.mlp.experts.gate_up_proj"].shape == (5, 48, 40)
    save_file(stacked, tmp_path / "model.safetensors", {"format": "pt"})
    assert_bit_equal(import_model(tmp_path), separate)


def test_an_expert_that_is_missing_or_misshapen_is_named(tmp_path):
    export_model(lively(variant(ffn=MOE)), tmp_path / "out")
    file, name = tmp_path / "out/model.safetensors", "model.layers.1.mlp.experts.3.up_proj.weight"
    tensors = {key: tensor.clone() for key, tensor in load_file(file).items()}
    save_file(tensors | {name: tensors[name][:-1].clone()}, file)
    with pytest.raises(AblateError, match=rf"of another shape: {name} .* \[24, 40\], but is \[23"):
        open_checkpoint(tmp_path / "out")
    del tensors[name]
    save_file(tensors, file)
    ours = r"blocks\.1\.ffn\.experts\.up_proj\.weight"
    with pytest.raises(AblateError, match=rf"missing: {name} \(our {ours}\)"):
        open_checkpoint(tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_shared": 1}, r"ffn\.n_shared: Qwen3 cannot express 1"),
        ({"router": "sigmoid"}, r"ffn\.router: Qwen3 cannot express 'sigmoid'"),
        ({"expert": "geglu"}, r"ffn\.expert: Qwen3 cannot express 'geglu'"),
        ({"bias_rate": 0.01}, r"ffn\.bias_rate: Qwen3 cannot express 0\.01"),
    ],
)
def test_other_mixtures_are_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        check_expressible(variant(ffn={**MOE, **changes}))


def test_mixtures_that_differ_between_layers_are_refused():
    cycle = [MOE, {**MOE, "top_k": 1}]
    with pytest.raises(ConfigError, match=r"ffn\.top_k: Qwen3 has one value .* got 2 and 1"):
        check_expressible(variant(ffn=cycle))


def test_losses_of_the_router_stand_in_no_way(tmp_path):
    moe = {**MOE, "balance_loss": 0.25, "z_loss": 0.5}
    model = lively(variant(ffn=moe))
    export_model(model, tmp_path / "out")
    assert_same_logits(model, tmp_path / "out")
    assert import_model(tmp_path / "out").spec.ffn[0].options["balance_loss"] == 0.25
