"""Greedy decoding: always the most likely next token."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from harness.core.model import LanguageModel
from harness.errors import AblateError


def greedy(
    model: LanguageModel,
    prompts: Int[Tensor, "B T"],
    n_new: int,
    *,
    valid: Bool[Tensor, "B T"] | None = None,
    use_cache: bool = True,
) -> Int[Tensor, "B n_new"]:
    """Return the `n_new` tokens that follow each prompt, each the most likely after all before it.

    Args:
        model: Is in evaluation mode meanwhile.
        prompts: Token ids; shorter prompts are padded on the right.
        n_new: How many tokens follow each prompt, 0 or more.
        valid: False marks padding; None means that there is none.
        use_cache: Whether layers remember earlier tokens; otherwise all are read again each time.

    Raises:
        AblateError: prompts and new tokens are more than the model has positions for.
    """
    lengths = _lengths(prompts, valid)
    longest = int(lengths.max())
    if n_new < 0:
        raise ValueError(f"n_new must be 0 or more, but is {n_new}")
    max_seq_len = model.spec.dims.max_seq_len
    if longest + n_new > max_seq_len:
        asked = f"a prompt of {longest} tokens and {n_new} new ones"
        raise AblateError(f"{asked} are more than max_seq_len ({max_seq_len})")
    decode = _cached if use_cache else _uncached
    with _evaluating(model):
        return decode(model, prompts, lengths, n_new, valid)
