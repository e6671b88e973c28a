"""A vector per token plus fixed sinusoids of its position."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import EMBEDDING, Embedding


@EMBEDDING.register("sinusoidal")
class SinusoidalEmbedding(Embedding):
    """Add `sin(angle_i)` to channel 2i and `cos(angle_i)` to 2i + 1 of `weight[token]`.

    The angles are `position * 10000 ** (-2i / d_model)`, computed in fp32 and not stored. Goes with
    `position: none` where sinusoids are meant to replace rotary positions.

    Options:
        scaled: Whether token vectors are multiplied by sqrt(d_model) first, as the source does:
            small initial vectors vanish beside sinusoids of amplitude 1.

    Source:
        Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762, sections 3.4 and 3.5.
    """

    def __init__(self, dims: Dims, *, scaled: bool = False) -> None:
        super().__init__(dims)
        if dims.d_model % 2:
            even = "has a sine and a cosine for each wavelength, so d_model must be even"
            raise ValueError(f"{even}, but is {dims.d_model}")
        self.weight = nn.Parameter(torch.empty(dims.vocab_size, dims.d_model))
        self.scale = dims.d_model**0.5 if scaled else 1.0

    def forward(self, tokens: Int[Tensor, "B T"], context: Context) -> Float[Tensor, "B T D"]:
        x = F.embedding(tokens, self.weight)
        return x * self.scale + sinusoids(context.positions, x.shape[-1]).to(x.dtype)


def sinusoids(positions: Int[Tensor, "B T"], width: int) -> Float[Tensor, "B T D"]:
    """Return the vectors of positions, `width` channels wide."""
    exponents = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32) / width
    angles = positions[..., None].float() * 10_000.0**-exponents  # B T D/2
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)
