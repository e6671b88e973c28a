"""`config.json` of Qwen3 or Qwen3-MoE as a variant; every field is understood or refused."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from harness.core.spec import VariantSpec
from harness.errors import ConfigError, unknown
from harness.interop.rope import read_position
from harness.schema import Frozen, parse

# Fields that say nothing of what the model computes from its weights.
SILENT = {
    *(
        "architectures",
        "transformers_version",
        "dtype",
        "torch_dtype",
        "use_cache",
        "_name_or_path",
    ),
    *("bos_token_id", "eos_token_id", "pad_token_id", "output_attentions", "output_hidden_states"),
    *("attention_dropout", "output_router_logits", "return_dict"),
}


class Qwen3Config(Frozen):
    """The fields of a dense model, with the defaults that transformers gives to absent ones."""

    model_type: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int | None
    max_position_embeddings: int
    head_dim: int | None = 128
    hidden_act: Literal["silu"] = "silu"
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = False
    rope_theta: float | None = None
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None
    attention_bias: bool = False
    use_sliding_window: bool = False
    sliding_window: int | None = 4096
    max_window_layers: int = 28
    layer_types: list[Literal["full_attention", "sliding_attention"]] | None = None

    def windows(self) -> list[int | None]:
        """Return the attention window of every layer."""
        n_layers = self.num_hidden_layers
        full = self.max_window_layers if self.use_sliding_window else n_layers
        windowed = [i >= full for i in range(n_layers)]
        if self.layer_types is not None:  # has the last word
            windowed = [kind == "sliding_attention" for kind in self.layer_types]
        if len(windowed) != n_layers:
            must = f"must name num_hidden_layers ({n_layers}) layers"
            raise ConfigError.at(("layer_types",), f"{must}, but names {len(windowed)}")
        if not self.use_sliding_window and any(windowed):
            raise ConfigError.at(("layer_types",), "has windows, but use_sliding_window is false")
        return [self.sliding_window if w else None for w in windowed]

    def ffn(self) -> list[Any]:
        """Return the feed-forward component of every layer."""
        return ["swiglu"] * self.num_hidden_layers


class Qwen3MoeConfig(Qwen3Config):
    """The fields of a model with experts."""

    head_dim: int | None = None
    moe_intermediate_size: int
    num_experts: int
    num_experts_per_tok: int
    norm_topk_prob: bool = False
    router_aux_loss_coef: float = 0.001
    decoder_sparse_step: int = Field(default=1, ge=1)
    mlp_only_layers: list[int] | None = None

    def windows(self) -> list[int | None]:
        """Return the attention window of every layer: the same one."""
        window = self.sliding_window if self.use_sliding_window else None
        windowed = window is not None
        if any((kind == "sliding_attention") != windowed for kind in self.layer_types or ()):
            must = "with experts, all layers must be as use_sliding_window says"
            raise ConfigError.at(("layer_types",), must)
        return [window] * self.num_hidden_layers

    def ffn(self) -> list[Any]:
        """Return the feed-forward component of every layer."""
        as_wide = self.moe_intermediate_size == self.intermediate_size
        moe = {
            "name": "moe",
            "n_experts": self.num_experts,
            "top_k": self.num_experts_per_tok,
            "normalize_top_k": self.norm_topk_prob,
            "d_ff": None if as_wide else self.moe_intermediate_size,
            "balance_loss": self.router_aux_loss_coef,
        }
        return [moe if self._is_sparse(i) else "swiglu" for i in range(self.num_hidden_layers)]

    def _is_sparse(self, layer_idx: int) -> bool:
        dense = layer_idx in (self.mlp_only_layers or ())
        return (
            not dense and self.num_experts > 0 and (layer_idx + 1) % self.decoder_sparse_step == 0
        )


MODELS: dict[str, type[Qwen3Config]] = {"qwen3": Qwen3Config, "qwen3_moe": Qwen3MoeConfig}


def from_config(written: Mapping[str, Any]) -> VariantSpec:
    """Return the variant that a configuration describes.

    Raises:
        ConfigError: another kind of model, or a field that is unknown, missing or not supported.
    """
    kind = written.get("model_type")
    if kind not in MODELS:
        raise ConfigError.at(("model_type",), unknown("model type", kind, MODELS))
    said = {k: v for k, v in written.items() if k not in SILENT and not _says_nothing(k, v, kind)}
    if "num_local_experts" in said:  # what transformers 5 writes for num_experts
        said["num_experts"] = said.pop("num_local_experts")
    config = parse(MODELS[kind], said)
    width = config.head_dim or config.hidden_size // config.num_attention_heads
    variant = {
        "d_model": config.hidden_size,
        "n_layers": config.num_hidden_layers,
        "n_heads": config.num_attention_heads,
        "head_dim": width,
        "d_ff": config.intermediate_size,
        "vocab_size": config.vocab_size,
        "max_seq_len": config.max_position_embeddings,
        "embedding": "token",
        "position": read_position(config.model_dump()),
        "norm": {"name": "rms_norm", "eps": config.rms_norm_eps},
        "attention": _attention(config),
        "ffn": config.ffn(),
        "block": "pre_norm",
        "tie_embeddings": config.tie_word_embeddings,
        "init": {"std": config.initializer_range},
    }
    return VariantSpec.read(variant)


def _says_nothing(field: str, value: object, kind: str) -> bool:
    return value is None and field not in MODELS[kind].model_fields


def _attention(config: Qwen3Config) -> list[dict[str, Any]]:
    gqa = {
        "name": "gqa",
        "n_kv_heads": config.num_key_value_heads or config.num_attention_heads,
        "bias": config.attention_bias,
    }
    return [gqa if w is None else {**gqa, "window": w} for w in config.windows()]
