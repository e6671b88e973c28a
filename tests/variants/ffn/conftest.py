"""Feed-forward components by name, on their own."""

import pytest
import torch

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import FFN


@pytest.fixture
def build():
    """Return a function that makes a feed-forward from what YAML would say."""

    def build(name, d_model=32, d_ff=48, **options):
        sizes = {"n_layers": 2, "n_heads": 4, "head_dim": 8, "vocab_size": 61, "max_seq_len": 512}
        dims = Dims(d_model=d_model, d_ff=d_ff, **sizes)
        ffn = FFN.build(FFN.resolve({"name": name, **options}, dims), dims, 0)
        generator = torch.Generator().manual_seed(0)
        for parameter in ffn.parameters():
            torch.nn.init.normal_(parameter, std=0.3, generator=generator)
        return ffn

    return build


@pytest.fixture
def apply():
    """Return a function that calls a feed-forward, perhaps with dropout."""

    def apply(ffn, x, dropout=0.0):
        return ffn(x, Context(torch.arange(x.shape[1]).expand(x.shape[:2]), dropout=dropout))

    return apply


@pytest.fixture
def x():
    """Two rows of nine vectors of 32 channels."""
    return torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(1))
