"""Attention components with large weights, as a layer of a tiny model holds them."""

import pytest
import torch

from harness.contracts.subject import Subject
from harness.core.context import Context


@pytest.fixture
def build():
    """Return a function that makes an attention component in fp64: 4 heads of 8, 32 channels."""

    def build(name, layer_idx=1, position="none", **options):
        changes = {"position": position}
        model = Subject("attention", name, options).model(**changes)
        return model.blocks[layer_idx].attention.double()

    return build


@pytest.fixture
def x():
    """The inputs of 2 rows of 13 tokens."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 13, 32, generator=generator, dtype=torch.float64)


@pytest.fixture
def context():
    """The surroundings of 2 rows of 13 tokens: no padding, one document, no cache."""
    return Context(torch.arange(13).expand(2, 13))
