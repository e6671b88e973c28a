"""Named variants: those that were released or published, to the parameter and to the byte."""

import json
import subprocess
import sys

import pytest
import torch

from harness.core.counts import count_parameters
from harness.core.model import LanguageModel
from harness.core.slots import ATTENTION
from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from variants.presets import PRESETS, preset

QWEN3 = {  # parameters, without embeddings, cache bytes a token in bf16
    "qwen3-0.6b": (596_049_920, 440_467_456, 114_688),
    "qwen3-1.7b": (1_720_574_976, 1_409_410_048, 114_688),
    "qwen3-4b": (4_022_468_096, 3_633_511_936, 147_456),
    "qwen3-8b": (8_190_735_360, 6_946_075_648, 147_456),
    "qwen3-14b": (14_768_307_200, 13_212_482_560, 163_840),
    "qwen3-32b": (32_762_123_264, 31_206_298_624, 262_144),
    "qwen3-30b-a3b": (30_532_122_624, 29_909_792_768, 98_304),
    "qwen3-235b-a22b": (235_093_634_560, 233_848_974_848, 192_512),
}
RETIED = {  # parameters of the same shapes, tied if the model is not, and the other way round
    "qwen3-0.6b": 751_632_384,
    "qwen3-1.7b": 2_031_739_904,
    "qwen3-4b": 4_411_424_256,
    "qwen3-8b": 7_568_405_504,
    "qwen3-14b": 13_990_394_880,
    "qwen3-32b": 31_984_210_944,
    "qwen3-30b-a3b": 30_220_957_696,
    "qwen3-235b-a22b": 234_471_304_704,
}
FIELDS = {  # layers, d_model, heads, key-value heads, d_ff, tied
    "qwen3-0.6b": (28, 1024, 16, 8, 3072, True),
    "qwen3-1.7b": (28, 2048, 16, 8, 6144, True),
    "qwen3-4b": (36, 2560, 32, 8, 9728, True),
    "qwen3-8b": (36, 4096, 32, 8, 12_288, False),
    "qwen3-14b": (40, 5120, 40, 8, 17_408, False),
    "qwen3-32b": (64, 5120, 64, 8, 25_600, False),
    "qwen3-30b-a3b": (48, 2048, 32, 4, 6144, False),
    "qwen3-235b-a22b": (94, 4096, 64, 4, 12_288, False),
}
EXPERTS = {  # width of an expert; parameters that a token meets: all, without the embedding's
    # table, and in the blocks alone
    "qwen3-30b-a3b": (768, 3_353_032_704, 3_041_867_776, 2_730_702_848),
    "qwen3-235b-a22b": (1536, 22_190_763_520, 21_568_433_664, 20_946_103_808),
}


def read(name, **changes):
    return VariantSpec.read({"vocab_size": 1024, **preset(name), **changes})


def on_meta(name, **changes):
    with torch.device("meta"):
        return LanguageModel(read(name, **changes))


@pytest.mark.row("R1-01")
@pytest.mark.row("R1-02")
@pytest.mark.parametrize("name", QWEN3)
def test_released_sizes_have_their_exact_counts(name):
    model = on_meta(name)
    counts = count_parameters(model)
    cache_bytes = sum(cache.nbytes for cache in model.new_caches(1, 16, torch.bfloat16))
    assert (counts.unique, counts.non_embedding, cache_bytes / 16) == QWEN3[name]
    tied = FIELDS[name][-1]
    assert count_parameters(on_meta(name, tie_embeddings=not tied)).unique == RETIED[name]
    assert counts.total == max(QWEN3[name][0], RETIED[name])  # a head of its own, or counted so


@pytest.mark.row("R1-02")
@pytest.mark.row("R1-03")
@pytest.mark.parametrize("name", QWEN3)
def test_released_sizes_have_their_exact_fields(name):
    spec = read(name)
    dims, (attention,), (norm,) = spec.dims, spec.attention, spec.norm
    said = (dims.n_layers, dims.d_model, dims.n_heads, attention.options["n_kv_heads"], dims.d_ff)
    assert (*said, spec.tie_embeddings) == FIELDS[name]
    assert (dims.vocab_size, dims.head_dim, dims.max_seq_len) == (151_936, 128, 40_960)
    assert [(p.name, p.options) for p in spec.position] == [("rope", {"theta": 1e6})]
    chosen = ATTENTION.non_default(attention, dims)
    assert chosen["name"] == "gqa" and chosen.keys() <= {"name", "n_kv_heads"}
    assert (norm.name, norm.options["eps"]) == ("rms_norm", 1e-6)
    assert spec.ffn[0].name == ("moe" if name in EXPERTS else "swiglu")
    assert (spec.embedding.name, spec.block[0].name) == ("token", "pre_norm")
    assert spec.dropout == 0 and spec.logit_softcap is None


def test_every_released_size_is_counted():
    assert {name for name in PRESETS if name.startswith("qwen3")} == set(QWEN3)


@pytest.mark.row("R1-19")
def test_feed_forwards_are_three_to_five_times_as_wide():
    ratios = {name: round(read(name).dims.d_ff / read(name).dims.d_model, 1) for name in QWEN3}
    dense = [ratio for name, ratio in ratios.items() if name not in EXPERTS]
    assert dense == [3.0, 3.0, 3.8, 3.0, 3.4, 5.0]


@pytest.mark.row("R2-22")
@pytest.mark.parametrize("name", EXPERTS)
def test_a_token_meets_a_tenth_of_the_parameters(name):
    width, everything, without_table, blocks = EXPERTS[name]
    model, (ffn,) = on_meta(name), read(name).ffn
    options = {"n_experts": 128, "top_k": 8, "normalize_top_k": True, "d_ff": width, "n_shared": 0}
    assert options.items() <= ffn.options.items()
    counts = count_parameters(model)
    table = model.embedding.weight.numel()
    assert counts.active == everything
    assert counts.active - table == without_table
    assert counts.active - counts.embedding == blocks


@pytest.mark.row("R4-01")
def test_reference_4_has_its_published_count():
    counts = count_parameters(on_meta("reference-4"))
    assert (counts.unique, counts.total) == (7_029_824, 13_321_280)
    spec = read("reference-4")
    assert spec.dims.model_dump() == {
        "d_model": 128, "n_layers": 3, "n_heads": 4, "head_dim": 32, "d_ff": 512,
        "vocab_size": 49_152, "max_seq_len": 256,
    }  # fmt: skip
    assert (spec.embedding.name, spec.position[0].name, spec.dropout) == (
        "scaled",
        "head_rope",
        0.1,
    )
    assert spec.attention[0].options["n_kv_heads"] == 2
    for n_kv_heads, params in {4: 7_078_976, 1: 7_005_248}.items():
        attention = {"name": "gqa", "n_kv_heads": n_kv_heads}
        assert count_parameters(on_meta("reference-4", attention=attention)).unique == params


@torch.no_grad()
def test_reference_4_tells_no_order_until_it_is_corrected():
    """With one layer, a model without positions is a set function of what came before."""
    tokens = torch.randint(1000, (1, 13), generator=torch.Generator().manual_seed(0))
    swapped = tokens[:, [0, 1, 3, 2, *range(4, 13)]]
    assert not torch.equal(tokens, swapped)
    rope = {"name": "rope", "theta": 10_000.0}
    for changes, knows in ({}, False), ({"position": rope}, True):
        small = {"n_layers": 1, "vocab_size": 1000, "init": {"std": 0.2}, **changes}
        model = LanguageModel(read("reference-4", **small)).initialize(0).eval()
        moved = (model(swapped) - model(tokens))[0, -1].abs().max()
        assert moved > 1e-3 if knows else moved <= 1e-4


@pytest.mark.row("R3-14")
def test_reference_3_has_its_count():
    model, spec = on_meta("reference-3"), read("reference-3")
    assert count_parameters(model).unique == 200_827_904
    decayed = [p.numel() for p in model.parameters() if p.ndim >= 2]
    others = [p.numel() for p in model.parameters() if p.ndim < 2]
    assert (len(decayed), sum(decayed)) == (86, 200_802_304)
    assert (len(others), sum(others)) == (25, 25_600)
    assert (spec.position[0].name, spec.position[0].options["theta"]) == ("rope_interleaved", 5e5)
    assert spec.norm[0].options["eps"] == 1e-5 and not spec.tie_embeddings


@pytest.mark.row("R3-11")
def test_the_width_of_reference_3_is_what_llama_makes_of_its_d_model():
    llama = count_parameters(on_meta("reference-3", ffn="llama_swiglu", d_ff=1)).unique
    assert llama == count_parameters(on_meta("reference-3")).unique


def test_the_ladder_has_one_shape():
    shapes = set()
    for name in (name for name in PRESETS if name.startswith("ladder")):
        spec = read(name)
        dims, options = spec.dims, spec.attention[0].options
        assert dims.n_heads * dims.head_dim == dims.d_model
        assert 0 <= dims.d_ff - dims.d_model * 8 / 3 < 32
        shapes.add((dims.d_model / dims.n_layers, dims.n_heads / options["n_kv_heads"]))
        params = count_parameters(on_meta(name)).non_embedding
        nominal = int(name.removeprefix("ladder-").removesuffix("m")) * 1e6
        assert abs(params / nominal - 1) < 0.25, name
    assert shapes == {(64, 2)}


def test_the_small_mixture_costs_a_token_what_the_dense_model_does():
    dense, mixture = count_parameters(on_meta("tiny")), count_parameters(on_meta("tiny-moe"))
    routers = 4 * 8 * 128
    assert mixture.active == dense.unique + routers
    assert mixture.unique > 2.5 * dense.unique


def test_the_small_hybrid_attends_in_every_fourth_layer():
    spec = read("tiny-hybrid", n_layers=8)
    names = [spec.layer("attention", i).name for i in range(8)]
    assert names == ["gated_delta", "gated_delta", "gated_delta", "gqa"] * 2


@pytest.mark.parametrize("name", ["tiny-moe", "tiny-hybrid", "ladder-1m"])
def test_small_presets_learn(name):
    model = LanguageModel(read(name, vocab_size=64)).initialize(0).train()
    tokens = torch.randint(64, (2, 17), generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(5):
        loss = model.loss(tokens[:, :-1], tokens[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.2, losses


def test_an_unknown_preset_is_answered_with_the_nearest_spelling():
    with pytest.raises(ConfigError, match=r"Did you mean 'qwen3-0\.6b'"):
        preset("qwen3-0.6")


def test_changing_what_a_preset_returned_does_not_change_the_preset():
    preset("tiny")["d_model"] = 1
    preset("tiny")["attention"]["n_kv_heads"] = 1
    assert preset("tiny")["d_model"] == 128
    assert preset("tiny-hybrid")["attention"][3]["n_kv_heads"] == 2


def test_the_command_line_prices_a_released_size_without_allocating_it():
    code = r"""
import re, sys
from harness.cli import main
main()
status = open("/proc/self/status").read()  # getrusage tells the peak of whoever forked us, too
print(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024, file=sys.stderr)
"""
    found = subprocess.run(
        [sys.executable, "-c", code, "cost", "--preset", "qwen3-0.6b", "--json"],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    priced = json.loads(found.stdout)
    named = ("params", "params_non_embedding", "cache_bytes_per_token")
    assert tuple(priced[key] for key in named) == QWEN3["qwen3-0.6b"]
    peak = int(found.stderr)
    assert peak < 0.5 * 4 * QWEN3["qwen3-0.6b"][0], "more than half of the weights in fp32"
