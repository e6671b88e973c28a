"""Configurations of other Qwen3 and Llama projects, in the words of our YAML."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from harness.errors import ConfigError, Problem, unknown

REQUIRED: Final = object()


class Key(NamedTuple):
    """Where a key of theirs stands in a variant, with dots; empty: it says nothing of the model."""

    ours: str
    default: Any = REQUIRED  # None: what we do without it


Table = dict[str, Key]

RASCHKA: Table = {  # S. Raschka's Qwen3 from scratch: the dictionary `cfg`
    "vocab_size": Key("vocab_size"),
    "emb_dim": Key("d_model"),
    "n_layers": Key("n_layers"),
    "n_heads": Key("n_heads"),
    "n_kv_groups": Key("attention.n_kv_heads"),
    "head_dim": Key("head_dim", None),
    "context_length": Key("max_seq_len"),
    "hidden_dim": Key("d_ff", None),  # of dense layers only
    "moe_hidden_dim": Key("ffn.d_ff", None),
    "moe_intermediate_size": Key("ffn.d_ff", None),
    "num_experts": Key("ffn.n_experts", 0),
    "num_experts_per_tok": Key("ffn.top_k", None),
    "dtype": Key("precision", "float32"),
    "rope_base": Key("position.theta", 10_000.0),
    "qk_norm": Key("attention.qk_norm", False),
}
TLAMA: Table = {  # tlama-core: the fields of `TlamaConfig`
    "d_model": Key("d_model", 4096),
    "n_layers": Key("n_layers", 32),
    "n_heads": Key("n_heads", 32),
    "n_kv_heads": Key("attention.n_kv_heads", None),
    "vocab_size": Key("vocab_size", 128_000),
    "multiple_of": Key("ffn.multiple_of", 256),
    "ffn_dim_multiplier": Key("ffn.multiplier", None),
    "norm_eps": Key("norm.eps", 1e-5),
    "rope_theta": Key("position.theta", 500_000.0),
    "max_batch_size": Key("", 32),  # caches are made for a batch, models are not
    "max_seq_len": Key("max_seq_len", 2048),
    "use_parallel": Key("", False),
    "kv_cache": Key("", False),
    "weight_init": Key("init.std", (0.02, 0.0)),
}
SMALL_MODEL: Table = {  # the 7M model: the fields of `SmallModelConfig` that describe the model
    "d_model": Key("d_model", 128),
    "n_heads": Key("n_heads", 4),
    "n_layers": Key("n_layers", 3),
    "d_ff": Key("d_ff", 512),
    "n_kv_heads": Key("attention.n_kv_heads", 2),
    "n_kv_groups": Key("", None),  # follows from the two above
    "d_k": Key("head_dim", None),
    "sliding_window": Key("", 1024),  # declared there and never used
    "attention_bias": Key("attention.bias", False),
    "rms_norm_eps": Key("norm.eps", 1e-6),
    "max_seq_len": Key("max_seq_len", 256),
    "dropout": Key("dropout", 0.1),
    "vocab_size": Key("vocab_size", 49_152),
}
TABLES = {"raschka": RASCHKA, "tlama": TLAMA, "small_model": SMALL_MODEL}
PRECISIONS = {"float32": "fp32", "bfloat16": "bf16"}


def read_config(config: Mapping[str, Any], project: str) -> dict[str, Any]:
    """Return what our YAML says of the model that a project's configuration describes.

    Args:
        config: The project's own keys; those that have a default may be missing.
        project: One of `TABLES`.

    Raises:
        ConfigError: an unknown project, keys that are unknown or missing, or a value that cannot
            be had here.
    """
    if project not in TABLES:
        raise ConfigError.at((), unknown("project", project, TABLES))
    table = TABLES[project]
    problems = [Problem((k,), unknown("key", k, table)) for k in config.keys() - table.keys()]
    said = {name: config.get(name, key.default) for name, key in table.items()}
    problems += [Problem((name,), "is missing") for name, v in said.items() if v is REQUIRED]
    if problems:
        raise ConfigError(*problems)
    variant = _READERS[project](said)
    for name, value in said.items():
        if table[name].ours and value is not None:
            _place(variant, table[name].ours, value)
    return variant


def _place(variant: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        variant = variant[parent]
    variant[last] = value


# Each reader returns what the keys leave unsaid, and brings the values of `said` to our terms.


def _read_raschka(said: dict[str, Any]) -> dict[str, Any]:
    dtype = str(said["dtype"]).removeprefix("torch.")
    if dtype not in PRECISIONS:
        raise ConfigError.at(("dtype",), unknown("type", dtype, PRECISIONS))
    said["dtype"] = PRECISIONS[dtype]
    said["qk_norm"] = "head" if said["qk_norm"] else "none"
    ffn: dict[str, Any] = {"name": "swiglu"}
    of_experts = ("moe_hidden_dim", "moe_intermediate_size", "num_experts", "num_experts_per_tok")
    if said["num_experts"]:
        # it takes the softmax of the chosen scores alone, which is that of all, renormalised
        ffn = {"name": "moe", "normalize_top_k": True, "balance_loss": 0.0}
        width = said["moe_hidden_dim"] or said["moe_intermediate_size"]
        if said["moe_intermediate_size"] not in (None, width):
            raise ConfigError.at(("moe_intermediate_size",), "contradicts moe_hidden_dim")
        said["moe_hidden_dim"] = width
        said["hidden_dim"] = said["hidden_dim"] or width  # of dense layers: it has none then
        _require(said, "num_experts_per_tok")
        _require(said, "moe_hidden_dim")
    else:
        said.update(dict.fromkeys(of_experts))
    _require(said, "hidden_dim")
    return {
        "attention": {"name": "gqa"},
        "position": {"name": "rope"},
        "ffn": ffn,
        "tie_embeddings": False,
    }


def _read_tlama(said: dict[str, Any]) -> dict[str, Any]:
    if said["use_parallel"]:
        raise ConfigError.at(("use_parallel",), "must be false: layers are not split over devices")
    std, mean = said["weight_init"]
    if mean:
        raise ConfigError.at(("weight_init",), f"must have a mean of 0, but got {mean}")
    said["weight_init"] = std
    said["n_kv_heads"] = said["n_kv_heads"] or said["n_heads"]
    # its layer leaves the factor 2/3 out wherever it is given a multiplier
    ffn = {"name": "llama_swiglu", "two_thirds": said["ffn_dim_multiplier"] is None}
    return {
        "d_ff": 4 * said["d_model"],  # not read by llama_swiglu, which derives its width
        "attention": {"name": "gqa", "qk_norm": "none"},
        "position": {"name": "rope_interleaved"},
        "norm": {"name": "rms_norm"},
        "ffn": ffn,
        "init": {},
        "tie_embeddings": False,
    }


def _read_small_model(said: dict[str, Any]) -> dict[str, Any]:
    groups = said["n_heads"] // said["n_kv_heads"]
    if said["n_kv_groups"] not in (None, groups):
        must = f"must be n_heads / n_kv_heads ({groups})"
        raise ConfigError.at(("n_kv_groups",), f"{must}, but got {said['n_kv_groups']}")
    return {
        "embedding": "scaled",
        "attention": {"name": "gqa"},
        "position": "head_rope",  # as it was trained; `rope` is what was meant
        "norm": {"name": "rms_norm"},
    }


def _require(said: dict[str, Any], key: str) -> None:
    if said[key] is None:
        raise ConfigError.at((key,), "is missing")


_READERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "raschka": _read_raschka,
    "tlama": _read_tlama,
    "small_model": _read_small_model,
}
