"""A feed-forward that sees the next token, planted: the leak test must find it, and where it is."""

import torch
from torch import Tensor, nn

from harness.core.causality import find_leak, lively
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.validation.finding import Finding, Outcome
from variants.presets import preset

LENGTH, VOCAB_SIZE = 16, 64
POSITIONS = (1, LENGTH // 2, LENGTH - 1)
WHERE = "blocks.1.ffn"


def check_leaks() -> Finding:
    """Look for leaks in a sound model, and in the same one with a leak."""
    written = {**preset("tiny"), "vocab_size": VOCAB_SIZE}
    model = lively(LanguageModel(VariantSpec.read(written)))
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(VOCAB_SIZE, (2, LENGTH), generator=generator)
    sound = find_leak(model, tokens, POSITIONS)
    with model.get_submodule(WHERE).register_forward_hook(_look_ahead):
        planted = find_leak(model, tokens, POSITIONS)
    caught = sound is None and planted is not None and planted.module == WHERE
    return Finding(
        name="leak",
        question="Is a component that looks ahead caught before anything trains?",
        expected=f"caught at {WHERE}, and nowhere without it",
        source="planted here",
        found=f"{planted or 'nothing'}; without it {sound or 'nothing'}",
        outcome=Outcome.AS_EXPECTED if caught else Outcome.OPPOSITE,
    )


def _look_ahead(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    following = torch.cat((output[:, 1:], output[:, -1:]), dim=1)
    return output + 0.1 * following
