import pytest
import torch

from harness.core.model import LanguageModel
from harness.core.slots import PRECISION
from harness.core.spec import VariantSpec

SMALL = {
    "d_model": 64, "n_layers": 2, "n_heads": 4, "head_dim": 16, "d_ff": 96, "vocab_size": 128,
    "max_seq_len": 64, "init": {"std": 0.1},
}  # fmt: skip


@pytest.fixture(scope="session")
def build():
    """Return how to make a small model, converted for inference if a precision is named."""

    def make(precision=None, *, options=None, **changes):
        model = LanguageModel(VariantSpec.read({**SMALL, **changes})).initialize(0).eval()
        if precision:
            PRECISION[precision](**(options or {})).prepare_inference(model)
        return model

    return make


@pytest.fixture
def batch():
    return torch.randint(128, (4, 33), generator=torch.Generator().manual_seed(0))
