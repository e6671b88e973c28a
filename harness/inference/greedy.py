"""Greedy decoding: always the most likely next token."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.core.model import LanguageModel
from harness.inference.decoding import decode


def greedy(
    model: LanguageModel,
    prompts: Int[Tensor, "B T"],
    n_new: int,
    *,
    valid: Bool[Tensor, "B T"] | None = None,
    use_cache: bool = True,
) -> Int[Tensor, "B {n_new}"]:
    """Return the `n_new` tokens that follow each prompt, each the most likely one; see `decode`."""
    return decode(model, prompts, n_new, most_likely, valid=valid, use_cache=use_cache)


def most_likely(logits: Float[Tensor, "B V"]) -> Int[Tensor, "B"]:
    """Choose the token with the highest logit."""
    return logits.argmax(-1)
