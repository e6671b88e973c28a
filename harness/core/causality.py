"""Does a model look ahead? Outputs before a token may not depend on it or on what follows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from jaxtyping import Int
from torch import Tensor, nn

from harness.core.head import Head
from harness.core.initialization import initialize
from harness.core.model import LanguageModel
from harness.core.slots import SLOTS, Slot
from harness.core.spec import Init, VariantSpec
from harness.errors import AblateError

EDITED = 1e-5
"""Relative change of an output that is rounding: other rows are sorted to experts otherwise."""
SHORTENED = 1e-4
"""The same where the number of tokens differs, and kernels with it."""


Form = Literal["training", "inference", "cached"]
FORMS: tuple[Form, ...] = get_args(Form)
WITHOUT_CACHE: tuple[Form, ...] = ("training", "inference")
"""Those in which losses are measured; a component may lack the other one."""


@dataclass(frozen=True)
class Leak:
    """The first output, in the order of computing, that depends on a later token."""

    module: str
    """Its name in the model: `blocks.1.attention`."""
    slot: str
    """Which slot it fills, `head` for the logits."""
    position: int
    """Outputs before this position have changed with tokens from it on."""
    form: Form
    """In which form of the model."""
    change: float
    """Relative to the largest output."""

    def __str__(self) -> str:
        form = "with a cache" if self.form == "cached" else f"in {self.form}"
        return (
            f"{self.module} ({self.slot}) looks ahead: its output before token {self.position} "
            f"changes by {self.change:.2g} (relative) with the tokens from there on, {form}"
        )


def find_leak(
    model: LanguageModel,
    tokens: Int[Tensor, "B T"],
    positions: Sequence[int],
    *,
    forms: Sequence[Form] = FORMS,
    edited: float = EDITED,
    shortened: float = SHORTENED,
) -> Leak | None:
    """Look for the first output that depends on later tokens; None: there is none.

    At each position the tokens from it on are replaced, by those of another row where there is one,
    and taken away; every slot's output before the position must stay as it was. That is asked of
    the model as it is in training, at inference, and with a cache that takes all tokens at once.

    Args:
        model: With weights that let things through: after training, or drawn large.
        tokens: Rows of tokens.
        positions: Where to cut, from 1 to below T.
        forms: Which of them: a loss is measured without caches.
        edited: Relative change that is rounding where tokens are replaced.
        shortened: The same where they are taken away.
    """
    was_training, spec = model.training, model.spec
    model.spec = replace(spec, dropout=0.0)  # its masks depend on how many tokens there are
    try:
        for form in forms:
            model.train(form == "training")
            for position in positions:
                if leak := _leak_at(model, tokens, position, form, edited, shortened):
                    return leak
    finally:
        model.train(was_training)
        model.spec = spec
    return None


def _leak_at(
    model: LanguageModel, tokens: Tensor, at: int, form: Form, edited: float, shortened: float
) -> Leak | None:
    whole = _outputs(model, tokens, form)
    changes = [(_replaced(tokens, model, at), edited)]
    if form != "training":  # dropout of another shape draws other masks
        changes.append((tokens[:, :at], shortened))
    for other, rounding in changes:
        seen = _outputs(model, other, form)
        for name in (name for name in whole if name in seen):
            if not whole[name].isfinite().all():  # a fault of another kind, which training tells
                continue
            change = _change(seen[name][:, :at], whole[name][:, :at])
            if not change <= rounding:  # NaN is no rounding
                return Leak(name, _slot_of(model, name), at, form, change)
    return None


def _replaced(tokens: Tensor, model: LanguageModel, at: int) -> Tensor:
    """Put other tokens from a position on; where the rows agree there, the next token's id."""
    other = tokens.roll(1, 0)
    other = torch.where(other == tokens, (tokens + 1) % model.spec.dims.vocab_size, other)
    return torch.cat((tokens[:, :at], other[:, at:]), dim=1)


@torch.no_grad()
def _outputs(model: LanguageModel, tokens: Tensor, form: str) -> dict[str, Tensor]:
    """Return what every slot gives for each token, in the order of computing."""
    caches = model.new_caches(*tokens.shape) if form == "cached" else None
    with _recorded(model, tokens.shape[1]) as seen, torch.random.fork_rng():
        torch.manual_seed(0)  # so that dropout is the same in all passes
        model(tokens, caches=caches)
    return seen


@contextmanager
def _recorded(model: LanguageModel, n_tokens: int) -> Iterator[dict[str, Tensor]]:
    seen: dict[str, Tensor] = {}

    def record(name: str, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim >= 3 and output.shape[1] == n_tokens:
            seen.setdefault(name, output.detach().clone())

    def hook(name: str) -> Any:
        return lambda _module, _inputs, output: record(name, output)

    parts = [(n, m) for n, m in model.named_modules() if isinstance(m, Slot | Head)]
    handles = [module.register_forward_hook(hook(name)) for name, module in parts]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _change(one: Tensor, other: Tensor) -> float:
    largest = other.abs().max()
    return float((one - other).abs().max() / largest) if largest else float(one.abs().max())


def _slot_of(model: LanguageModel, name: str) -> str:
    module: nn.Module = model.get_submodule(name)
    found = (slot for slot, registry in SLOTS.items() if isinstance(module, registry.contract))
    return next(found, "head")


def lively(model: LanguageModel) -> LanguageModel:
    """Give a model weights that let everything through, in place: the usual start hides mistakes.

    Matrices are so large that a sublayer adds about as much as there is.
    """
    init = Init(std=min(0.3, 1.7 * model.spec.dims.d_model**-0.5))
    initialize(model, init, model.spec.dims.n_layers, seed=0)
    return moved(model)


@torch.no_grad()
def moved(model: LanguageModel) -> LanguageModel:
    """Move what does not start random, such as the weights of norms, by up to a half; in place."""
    generator = torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        if parameter.ndim < 2:
            parameter.add_(torch.rand(parameter.shape, generator=generator) - 0.5)
    return model.eval()


def refuse_leak(spec: VariantSpec, longest: int) -> None:
    """Test a variant with random weights on random tokens, before anything trains.

    Raises:
        AblateError: it looks ahead; the message names the first layer that does.
    """
    length = min(16, longest, spec.dims.max_seq_len)
    if length < 2:
        return
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(spec.dims.vocab_size, (2, length), generator=generator)
    positions = sorted({1, length // 2, length - 1})
    if leak := find_leak(lively(LanguageModel(spec)), tokens, positions, forms=WITHOUT_CACHE):
        raise AblateError(f"{leak}; a loss that knows the answer is no loss")
