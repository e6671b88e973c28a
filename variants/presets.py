"""Whole variants by name."""

import math
from copy import deepcopy
from typing import Any

from harness.errors import ConfigError, unknown


def _qwen3(
    d_model: int, n_layers: int, n_heads: int, d_ff: int, tie: bool, n_kv_heads: int = 8
) -> dict[str, Any]:
    return {
        "d_model": d_model,
        "n_layers": n_layers,
        "n_heads": n_heads,
        "head_dim": 128,
        "d_ff": d_ff,
        "vocab_size": 151_936,
        "max_seq_len": 40_960,
        "attention": {"name": "gqa", "n_kv_heads": n_kv_heads},
        "tie_embeddings": tie,
    }


def _experts(d_ff: int) -> dict[str, Any]:
    """The mixture of the released models: the `d_ff` of the model itself is then not used."""
    return {"name": "moe", "n_experts": 128, "top_k": 8, "normalize_top_k": True, "d_ff": d_ff}


def _ladder(n: int) -> dict[str, Any]:
    """One shape at every size: n layers 64 n wide, so about 45,000 n**3 parameters in blocks.

    Half as many key-value heads as heads, `d_ff` of 8/3 the width in steps of 32, and weights whose
    products have the same scale at every width.
    """
    d_model = 64 * n
    return {
        "d_model": d_model,
        "n_layers": n,
        "n_heads": 2 * n,
        "head_dim": 32,
        "d_ff": math.ceil(d_model * 8 / 3 / 32) * 32,
        "max_seq_len": 1024,
        "attention": {"name": "gqa", "n_kv_heads": n},
        "position": {"name": "rope", "theta": 10_000.0},
        "init": {"std": round(0.57 / math.sqrt(d_model), 4), "outputs": "zero"},
    }


_TINY: dict[str, Any] = {
    "d_model": 128,
    "n_layers": 4,
    "n_heads": 4,
    "head_dim": 32,
    "d_ff": 352,
    "max_seq_len": 256,
    "attention": {"name": "gqa", "n_kv_heads": 2},
    "position": {"name": "rope", "theta": 10_000.0},
    "init": {"std": 0.05, "outputs": "zero"},
}

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": _TINY,
    # A token meets two experts, together as wide as the feed-forward of `tiny`.
    "tiny-moe": {**_TINY, "ffn": {"name": "moe", "n_experts": 8, "top_k": 2, "d_ff": 176}},
    # Full attention in every fourth layer, as in Qwen3-Next.
    "tiny-hybrid": {**_TINY, "attention": [*["gated_delta"] * 3, _TINY["attention"]]},
    "ladder-1m": _ladder(3),
    "ladder-5m": _ladder(5),
    "ladder-15m": _ladder(7),
    "ladder-50m": _ladder(10),
    # The released models; fields as in their Hugging Face configurations.
    "qwen3-0.6b": _qwen3(1024, 28, 16, 3072, tie=True),
    "qwen3-1.7b": _qwen3(2048, 28, 16, 6144, tie=True),
    "qwen3-4b": _qwen3(2560, 36, 32, 9728, tie=True),
    "qwen3-8b": _qwen3(4096, 36, 32, 12_288, tie=False),
    "qwen3-14b": _qwen3(5120, 40, 40, 17_408, tie=False),
    "qwen3-32b": _qwen3(5120, 64, 64, 25_600, tie=False),
    "qwen3-30b-a3b": {**_qwen3(2048, 48, 32, 6144, tie=False, n_kv_heads=4), "ffn": _experts(768)},
    "qwen3-235b-a22b": {
        **_qwen3(4096, 94, 64, 12_288, tie=False, n_kv_heads=4),
        "ffn": _experts(1536),
    },
    # The Llama-style example of tlama-core: `llama_swiglu` would give the same d_ff.
    "reference-3": {
        "d_model": 1024,
        "n_layers": 12,
        "n_heads": 16,
        "d_ff": 2816,
        "vocab_size": 32_000,
        "max_seq_len": 2048,
        "attention": {"name": "gqa", "n_kv_heads": 4, "qk_norm": False},
        "position": {"name": "rope_interleaved", "theta": 500_000.0},
        "norm": {"name": "rms_norm", "eps": 1e-5},
        "tie_embeddings": False,
    },
    # A published model of 7.03M parameters, as it was trained: its rotation turns heads, not
    # positions. With `position: {name: rope, theta: 10000.0}` it is what was meant.
    "reference-4": {
        "d_model": 128,
        "n_layers": 3,
        "n_heads": 4,
        "d_ff": 512,
        "vocab_size": 49_152,
        "max_seq_len": 256,
        "embedding": "scaled",
        "attention": {"name": "gqa", "n_kv_heads": 2},
        "position": "head_rope",
        "dropout": 0.1,
    },
}


def preset(name: object) -> dict[str, Any]:
    """Return what YAML would say to describe the variant `name` in full.

    Raises:
        ConfigError: there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError.at(("preset",), unknown("preset", name, PRESETS))
    return deepcopy(PRESETS[str(name)])
