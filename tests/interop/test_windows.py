"""Attention windows: what Qwen3 has of them is exchanged, other patterns are refused."""

import json
import re

import pytest
import torch
from hub import (
    SHAPES,
    assert_same_logits,
    edit_config,
    lively,
    random_tokens,
    relative,
    save_reference,
    variant,
)

from harness.errors import ConfigError
from harness.interop.checkpoint import import_model, read_variant
from harness.interop.export import export_model
from harness.interop.expressible import check_expressible, windows

transformers = pytest.importorskip("transformers")
REFERENCE = {
    "hidden_size": 40, "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 3,
    "head_dim": 16, "intermediate_size": 56, "vocab_size": 83, "max_position_embeddings": 64,
    "use_sliding_window": True, "sliding_window": 5,
}  # fmt: skip
MOE = {"name": "moe", "n_experts": 4, "top_k": 2, "d_ff": 24}


def windowed(of_layers, **changes):
    gqa = {"name": "gqa", "n_kv_heads": SHAPES["wide heads"]["kv"]}
    return variant(attention=[{**gqa, "window": window} for window in of_layers], **changes)


@pytest.mark.row("R2-34")
@pytest.mark.parametrize(
    ("of_layers", "changes"),
    [([None, 5, 5], {}), ([5, 5, 5], {}), ([None, None, 1], {}), ([4, 4, 4], {"ffn": MOE})],
    ids=["last layers", "all layers", "itself alone", "with experts"],
)
def test_windows_make_the_round_trip(of_layers, changes, tmp_path):
    model = lively(windowed(of_layers, **changes))
    export_model(model, tmp_path / "out")
    assert_same_logits(model, tmp_path / "out")
    assert import_model(tmp_path / "out").spec == model.spec
    edit_config(tmp_path / "out", layer_types=None)  # as versions read it that count layers
    assert import_model(tmp_path / "out").spec == model.spec
    full = lively(windowed([None] * 3, **changes))
    with torch.no_grad():
        assert relative(full(random_tokens()), model(random_tokens())) > 1e-2


REFUSED = {
    "windows first": ([5, None, None], {}, "full attention in its first layers and windows in"),
    "windows between": ([None, 5, None], {}, "full attention in its first layers and windows in"),
    "two windows": ([None, 5, 6], {}, "Qwen3 has one window, but got 5 and 6"),
    "some with experts": ([None, 5, 5], {"ffn": MOE}, "a window in every layer or in none"),
}


@pytest.mark.parametrize(("of_layers", "changes", "said"), REFUSED.values(), ids=REFUSED)
def test_other_patterns_are_refused(of_layers, changes, said):
    with pytest.raises(ConfigError, match=re.escape(said)) as refused:
        check_expressible(windowed(of_layers, **changes))
    assert [problem.path for problem in refused.value.problems] == [("attention", "window")]


@pytest.mark.row("R2-34")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"max_window_layers": 1}, [None, 5, 5]),
        ({"max_window_layers": 0}, [5, 5, 5]),
        ({"max_window_layers": 9}, [None, None, None]),
        ({"max_window_layers": 1, "use_sliding_window": False}, [None, None, None]),
        (
            {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
            [5, None, 5],
        ),
    ],
    ids=str,
)
def test_which_layers_have_windows_is_read(changes, expected, tmp_path):
    save_reference(tmp_path, transformers.Qwen3Config(**{**REFERENCE, **changes}))
    model = import_model(tmp_path)
    assert windows(model.spec) == expected
    assert_same_logits(model, tmp_path)


def test_layers_are_counted_where_their_kinds_are_not_listed(tmp_path):
    save_reference(tmp_path, transformers.Qwen3Config(**REFERENCE, max_window_layers=2))
    assert "layer_types" in json.loads((tmp_path / "config.json").read_text())
    edit_config(tmp_path, layer_types=None)
    assert windows(read_variant(tmp_path)) == [None, None, 5]


def test_with_experts_the_window_is_everywhere(tmp_path):
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
    save_reference(tmp_path, transformers.Qwen3MoeConfig(**REFERENCE, **experts))
    edit_config(tmp_path, max_window_layers=2)  # released files have this field, unread
    model = import_model(tmp_path)
    assert windows(model.spec) == [5, 5, 5]
    assert_same_logits(model, tmp_path)
    edit_config(tmp_path, layer_types=["full_attention"] * 3)
    with pytest.raises(Exception, match="layer_types: with experts, all layers must be as"):
        read_variant(tmp_path)
