"""Greedy decoding: always the most likely next token."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Int
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
) -> Int[Tensor, "B N"]:
    """Return the `n_new` tokens that follow each prompt, each the most likely one.

    Args:
        model: Evaluates meanwhile; its modules are left in the mode that they were in.
        prompts: Token ids; shorter prompts are padded on the right.
        n_new: How many tokens follow, 0 or more.
        valid: False marks padding; None means there is none.
        use_cache: Whether layers remember earlier tokens, or everything is read anew for each.

    Raises:
        AblateError: prompts and new tokens do not fit into `max_seq_len`.
        ValueError: a prompt is empty, or padded elsewhere than on the right.
    """
    if n_new < 0:
        raise ValueError(f"n_new must be 0 or more, but is {n_new}")
    valid = None if valid is None or bool(valid.all()) else valid
    lengths = _lengths(prompts, valid)
    longest, limit = int(lengths.max()), model.spec.dims.max_seq_len
    if longest + n_new > limit:
        asked = f"{longest} tokens of a prompt and {n_new} new ones"
        raise AblateError(f"{asked} are more than max_seq_len ({limit})")
    new = prompts.new_empty(len(prompts), n_new)
    decode = _cached if use_cache else _uncached
    # Faster than no_grad: nothing is noted about tensors. `new` is made outside, as tensors made
    # inside could not be used in training.
    with _evaluating(model), torch.inference_mode():
        for step, tokens in zip(range(n_new), decode(model, prompts, lengths, valid, longest + n_new)):
            new[:, step] = tokens
    return new
