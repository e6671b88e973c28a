"""A variant as `config.json` of Qwen3 or Qwen3-MoE."""

from typing import Any

import torch

from harness.core.spec import VariantSpec
from harness.interop.expressible import check_expressible, experts, windows
from harness.interop.rope import rope_fields


def to_config(spec: VariantSpec, dtype: torch.dtype, separator: int | None) -> dict[str, Any]:
    """Return what `config.json` says of a variant.

    Args:
        spec: The variant.
        dtype: Of the weights beside it.
        separator: Id of the token between documents, which begins and ends a text.

    Raises:
        ConfigError: everything of the variant that Qwen3 cannot express.
    """
    check_expressible(spec)
    dims, attention = spec.dims, spec.attention[0].options
    written = str(dtype).removeprefix("torch.")
    is_moe = any(experts(spec))
    return {
        "architectures": ["Qwen3MoeForCausalLM" if is_moe else "Qwen3ForCausalLM"],
        "model_type": "qwen3_moe" if is_moe else "qwen3",
        "vocab_size": dims.vocab_size,
        "hidden_size": dims.d_model,
        "intermediate_size": dims.d_ff,
        "num_hidden_layers": dims.n_layers,
        "num_attention_heads": dims.n_heads,
        "num_key_value_heads": attention["n_kv_heads"],
        "head_dim": dims.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": dims.max_seq_len,
        "initializer_range": spec.init.std,
        "rms_norm_eps": spec.norm[0].options["eps"],
        "use_cache": True,
        "tie_word_embeddings": spec.tie_embeddings,
        **rope_fields(spec.position[0]),
        "attention_bias": attention["bias"],
        "attention_dropout": 0.0,
        **_window(spec, is_moe),
        **(_moe(spec) if is_moe else {}),
        "bos_token_id": separator,
        "eos_token_id": separator,
        # two names of one field: that of transformers 5, and that of version 4
        "dtype": written,
        "torch_dtype": written,
    }


def _window(spec: VariantSpec, is_moe: bool) -> dict[str, Any]:
    of_layers = windows(spec)
    window = of_layers[-1]
    written = {"use_sliding_window": window is not None, "sliding_window": window}
    if is_moe:
        return written
    kinds = {True: "full_attention", False: "sliding_attention"}
    return {
        **written,
        "max_window_layers": of_layers.count(None),
        "layer_types": [kinds[window is None] for window in of_layers],
    }


def _moe(spec: VariantSpec) -> dict[str, Any]:
    of_layers = experts(spec)
    moe = next(layer for layer in of_layers if layer).options
    return {
        "num_experts": moe["n_experts"],
        "num_experts_per_tok": moe["top_k"],
        "norm_topk_prob": moe["normalize_top_k"],
        "moe_intermediate_size": moe["d_ff"] or spec.dims.d_ff,
        "router_aux_loss_coef": moe["balance_loss"],
        "output_router_logits": False,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [i for i, layer in enumerate(of_layers) if layer is None],
    }
