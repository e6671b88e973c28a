"""Sampling: each next token is drawn as the model predicts it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from harness.inference.decoding import Choose


def sampled(seed: int) -> Choose:
    """Return what draws tokens with the probabilities that the logits give them (temperature 1).

    The draws are made on the CPU, and depend on the seed alone.
    """
    generator = torch.Generator().manual_seed(seed)

    def choose(logits: Float[Tensor, "B V"]) -> Int[Tensor, "B"]:
        shares = logits.float().softmax(-1).cpu()
        return torch.multinomial(shares, 1, generator=generator)[:, 0].to(logits.device)

    return choose
