"""Whole variants by name."""

from typing import Any

from harness.errors import ConfigError, unknown


def _qwen3(
    d_model: int, n_layers: int, n_heads: int, d_ff: int, tie_embeddings: bool
) -> dict[str, Any]:
    return {
        "d_model": d_model,
        "n_layers": n_layers,
        "n_heads": n_heads,
        "head_dim": 128,
        "d_ff": d_ff,
        "vocab_size": 151_936,
        "max_seq_len": 40_960,
        "attention": {"name": "gqa", "n_kv_heads": 8},
        "tie_embeddings": tie_embeddings,
    }


PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {
        "d_model": 128,
        "n_layers": 4,
        "n_heads": 4,
        "head_dim": 32,
        "d_ff": 352,
        "max_seq_len": 256,
        "attention": {"name": "gqa", "n_kv_heads": 2},
        "position": {"name": "rope", "theta": 10_000.0},
        "init": {"std": 0.05, "outputs": "zero"},
    },
    # The released dense models; fields as in their Hugging Face configurations.
    "qwen3-0.6b": _qwen3(1024, 28, 16, 3072, tie_embeddings=True),
    "qwen3-1.7b": _qwen3(2048, 28, 16, 6144, tie_embeddings=True),
    "qwen3-4b": _qwen3(2560, 36, 32, 9728, tie_embeddings=True),
    "qwen3-8b": _qwen3(4096, 36, 32, 12_288, tie_embeddings=False),
    "qwen3-14b": _qwen3(5120, 40, 40, 17_408, tie_embeddings=False),
    "qwen3-32b": _qwen3(5120, 64, 64, 25_600, tie_embeddings=False),
}


def preset(name: object) -> dict[str, Any]:
    """Return what YAML would say to describe the variant `name` in full.

    Raises:
        ConfigError: there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError.at(("preset",), unknown("preset", name, PRESETS))
    return dict(PRESETS[str(name)])
