"""How our parameters lie in a Qwen3 checkpoint: under which names, and in which pieces."""

import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from torch import Tensor

from harness.core.model import LanguageModel

_PREFIXES = {  # ours -> theirs
    "embedding.": "model.embed_tokens.",
    "blocks.": "model.layers.",
    "norm.": "model.norm.",
    "head.": "lm_head.",
}
_PARTS = {
    ".attention_norm.": ".input_layernorm.",
    ".ffn_norm.": ".post_attention_layernorm.",
    ".attention.": ".self_attn.",
    ".ffn.router.": ".mlp.gate.",
    ".ffn.": ".mlp.",
}
_EXPERTS = re.compile(r"(.+\.mlp\.experts)\.(gate|up|down)_proj\.weight")

HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


class Piece(NamedTuple):
    """A tensor of a checkpoint, of which a part is a part of one of our parameters."""

    name: str
    shape: tuple[int, ...]  # of the whole tensor
    theirs: Any  # index of the part in the tensor
    ours: Any  # index of the part in our parameter


def weights(model: LanguageModel) -> dict[str, Tensor]:
    """Return the tensors of a model that a checkpoint holds, each once.

    What an objective has learned serves training alone.
    """
    state = model.state_dict()
    if model.spec.tie_embeddings:
        del state["head.weight"]
    return {name: t for name, t in state.items() if not name.startswith("objective.")}


def pieces(name: str, shape: tuple[int, ...], fused: bool = False) -> Iterator[Piece]:
    """Yield where our parameter `name` of this shape is found in a checkpoint.

    Experts, which we stack (E F D), lie there one by one, or `fused`: stacked, the gate and up
    projections of an expert one above the other (E 2F D).
    """
    theirs = hub_name(name)
    experts = _EXPERTS.fullmatch(theirs)
    if not experts:
        yield Piece(theirs, shape, ..., ...)
        return
    stem, which = experts.groups()
    if not fused:
        for e in range(shape[0]):
            yield Piece(f"{stem}.{e}.{which}_proj.weight", shape[1:], ..., e)
    elif which == "down":
        yield Piece(f"{stem}.down_proj", shape, ..., ...)
    else:
        n_experts, width, d_model = shape
        half = slice(0, width) if which == "gate" else slice(width, 2 * width)
        both = (n_experts, 2 * width, d_model)
        yield Piece(f"{stem}.gate_up_proj", both, (slice(None), half), ...)


def is_fused(names: Collection[str]) -> bool:
    """Say whether the experts of a checkpoint with these tensors are stacked."""
    return any(name.endswith(".mlp.experts.gate_up_proj") for name in names)


def hub_name(name: str) -> str:
    """Return what transformers calls our parameter `name`."""
    for ours, theirs in _PREFIXES.items():
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
            break
    for ours, theirs in _PARTS.items():
        name = name.replace(ours, theirs)
    return name
