"""The released Qwen3 models, to the parameter and to the byte."""

import json
import resource
import subprocess
import sys

import pytest
import torch

from harness.core.model import LanguageModel
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
}


@pytest.mark.parametrize("name", QWEN3)
def test_released_sizes_have_their_exact_counts(name):
    with torch.device("meta"):
        model = LanguageModel(VariantSpec.read(preset(name)))
    tables = {id(w): w for w in (model.embedding.weight, model.head.weight)}
    params = sum(p.numel() for p in model.parameters())
    cache_bytes = sum(cache.nbytes for cache in model.new_caches(1, 16, torch.bfloat16))
    without = params - sum(table.numel() for table in tables.values())
    assert (params, without, cache_bytes / 16) == QWEN3[name]


def test_every_released_size_is_counted():
    assert {name for name in PRESETS if name.startswith("qwen3")} == set(QWEN3)


def test_released_sizes_rotate_with_a_theta_of_a_million():
    for name in QWEN3:
        spec = VariantSpec.read(preset(name))
        assert [(p.name, p.options) for p in spec.position] == [("rope", {"theta": 1e6})]
        assert spec.dims.max_seq_len == 40_960 and spec.norm[0].options["eps"] == 1e-6


def test_an_unknown_preset_is_answered_with_the_nearest_spelling():
    with pytest.raises(ConfigError, match=r"Did you mean 'qwen3-0\.6b'"):
        preset("qwen3-0.6")


def test_changing_what_a_preset_returned_does_not_change_the_preset():
    preset("tiny")["d_model"] = 1
    assert preset("tiny")["d_model"] != 1


def test_the_command_line_prices_a_released_size_without_allocating_it():
    found = subprocess.run(
        [sys.executable, "-m", "harness.cli", "cost", "--preset", "qwen3-0.6b", "--json"],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    priced = json.loads(found.stdout)
    named = ("params", "params_non_embedding", "cache_bytes_per_token")
    assert tuple(priced[key] for key in named) == QWEN3["qwen3-0.6b"]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024  # of any child so far
    assert peak < 0.5 * 4 * QWEN3["qwen3-0.6b"][0], "more than half of the weights in fp32"
