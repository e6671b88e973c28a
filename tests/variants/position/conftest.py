"""Position components by name, and what they make of some queries."""

import pytest
import torch

from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.slots import POSITION


@pytest.fixture
def build():
    """Return a function that makes a position component from what YAML would say."""

    def build(name, width, n_heads=4, max_seq_len=64, **options):
        sizes = {"d_model": 32, "n_layers": 2, "d_ff": 48, "vocab_size": 61}
        dims = Dims(**sizes, n_heads=n_heads, head_dim=width, max_seq_len=max_seq_len)
        component = POSITION.resolve({"name": name, **options}, dims)
        return POSITION.build(component, dims, 0, width)

    return build


@pytest.fixture
def rotated():
    """Return a function that rotates queries standing at some positions, or at 0, 1, 2, ..."""

    def rotated(position, q, positions=None):
        at = torch.arange(q.shape[1]).expand(q.shape[:2]) if positions is None else positions
        return position.rotate(q, q[:, :, :1], Context(at))[0]

    return rotated


@pytest.fixture
def q():
    """Queries of 2 rows, 40 tokens, 4 heads and 16 channels."""
    return torch.randn(2, 40, 4, 16, generator=torch.Generator().manual_seed(0))
