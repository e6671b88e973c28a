"""transformers' model of an architecture: what ours is timed against."""

from typing import Any

import torch

from harness.core.model import LanguageModel
from harness.errors import AblateError
from harness.interop.names import is_fused, pieces, weights
from harness.interop.to_config import to_config


def reference_of(model: LanguageModel) -> Any:
    """Return transformers' model of the same variant, with copies of the same weights.

    Raises:
        AblateError: transformers is not installed.
        ConfigError: Qwen3 cannot express the variant.
    """
    config = to_config(model.spec, torch.float32, separator=None)
    try:
        from transformers import AutoConfig, AutoModelForCausalLM
    except ImportError:
        install = "the benchmark compares with transformers: pip install -e '.[hf]'"
        raise AblateError(install) from None
    reference = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
        AutoConfig.for_model(**config)
    )
    theirs = reference.state_dict()
    for name, parameter in weights(model).items():
        for piece in pieces(name, tuple(parameter.shape), fused=is_fused(theirs)):
            theirs[piece.name][piece.theirs] = parameter[piece.ours]
    return reference.to(next(model.parameters()).device)
