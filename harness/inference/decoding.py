"""Decoding: text that follows a prompt, token by token."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from harness.core.model import LanguageModel
from harness.errors import AblateError
from harness.inference.layout import by_columns

# Measured on a CPU: decoding fewer tokens costs less than laying matrices out anew, and for more
# rows their layout hardly matters.
FEW_TOKENS, MANY_ROWS = 16, 8


Choose = Callable[[Float[Tensor, "B V"]], Int[Tensor, "B"]]
"""Chooses the next token of each row by its logits."""


def decode(
    model: LanguageModel,
    prompts: Int[Tensor, "B T"],
    n_new: int,
    choose: Choose,
    *,
    valid: Bool[Tensor, "B T"] | None = None,
    use_cache: bool = True,
) -> Int[Tensor, "B {n_new}"]:
    """Return the `n_new` tokens that follow each prompt.

    Args:
        model: Evaluates meanwhile; its modules then go back to the mode that they were in.
        prompts: Token ids; shorter prompts are padded on the right.
        n_new: How many tokens follow, 0 or more.
        choose: Chooses each of them.
        valid: False marks padding; None means there is none.
        use_cache: Whether layers remember earlier tokens, or all are read again for each new one.

    Raises:
        AblateError: the longest prompt and the new tokens are more than `max_seq_len`.
        ValueError: a prompt is empty, or padded elsewhere than on the right.
    """
    if n_new < 0:
        raise ValueError(f"n_new must be 0 or more, but is {n_new}")
    lengths = _lengths(prompts, valid)
    longest, limit = int(lengths.max()), model.spec.dims.max_seq_len
    if longest + n_new > limit:
        asked = f"a prompt of {longest} tokens and {n_new} new ones"
        raise AblateError(f"{asked} do not fit into max_seq_len ({limit})")
    read, last = prompts[:, :longest], lengths - 1  # last: the place of each row's last token
    valid = None if valid is None or bool(valid.all()) else valid[:, :longest]
    rows = torch.arange(len(prompts), device=prompts.device)
    # Made outside of the inference mode, whose tensors cannot be trained on.
    new = prompts.new_zeros(len(prompts), n_new)
    worthwhile = use_cache and n_new >= FEW_TOKENS and len(prompts) <= MANY_ROWS
    layout = by_columns(model) if worthwhile else nullcontext()
    with _evaluating(model), layout, torch.inference_mode():
        caches = model.new_caches(len(prompts), longest + n_new) if use_cache else None
        for step in range(n_new):
            hidden, _ = model.hidden(read, valid=valid, caches=caches)
            new[:, step] = choose(model.head(hidden[rows, last]))
            if use_cache:
                read, last, valid = new[:, step : step + 1], torch.zeros_like(last), None
            else:
                read, last, valid = _appended(read, last, valid, new[:, step])
    return new


def _appended(
    text: Int[Tensor, "B T"],
    last: Int[Tensor, "B"],
    valid: Bool[Tensor, "B T"] | None,
    tokens: Int[Tensor, "B"],
) -> tuple[Int[Tensor, "B T+1"], Int[Tensor, "B"], Bool[Tensor, "B T+1"] | None]:
    """Put a token behind the last one of each row."""
    text, last = F.pad(text, (0, 1)), last + 1
    places = torch.arange(text.shape[1], device=text.device)
    return (
        torch.where(places == last[:, None], tokens[:, None], text),
        last,
        None if valid is None else places <= last[:, None],
    )


def _lengths(prompts: Int[Tensor, "B T"], valid: Bool[Tensor, "B T"] | None) -> Int[Tensor, "B"]:
    """Count the tokens of each prompt, and check that they come first."""
    places = torch.arange(prompts.shape[1], device=prompts.device)
    counts = (torch.ones_like(prompts) if valid is None else valid).sum(1)
    if not counts.numel() or int(counts.min()) < 1:
        raise ValueError("there must be prompts, and a token in each of them")
    if valid is not None and not torch.equal(valid, places < counts[:, None]):
        raise ValueError("padding must follow the tokens of its prompt")
    return counts


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and each module that trained back afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
