"""Models that fresh weights cannot flatter, and what transformers makes of the same folder."""

import json

import pytest
import torch

from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec

VOCAB_SIZE = 83
SHAPES = {
    "wide heads": {"d_model": 40, "n_heads": 6, "head_dim": 16, "kv": 3},
    "narrow heads": {"d_model": 48, "n_heads": 4, "head_dim": 6, "kv": 2},
    "square": {"d_model": 48, "n_heads": 6, "head_dim": 8, "kv": 2},  # h * hd = d
}


def variant(shape="wide heads", **changes):
    """Return a small variant with 3 layers, far from the defaults of the reference's classes."""
    sizes = {key: value for key, value in SHAPES[shape].items() if key != "kv"}
    return VariantSpec.read(
        {
            **sizes, "n_layers": 3, "d_ff": 56, "vocab_size": VOCAB_SIZE, "max_seq_len": 64,
            "attention": {"name": "gqa", "n_kv_heads": SHAPES[shape]["kv"]},
            "position": {"name": "rope", "theta": 2e4}, "norm": {"name": "rms_norm", "eps": 1e-5},
            "init": {"std": 0.3}, **changes,
        }
    )  # fmt: skip


@torch.no_grad()
def lively(spec, seed=0):
    """Build a model with matrices of std 0.3 and every vector U(0.5, 1.5)."""
    model = LanguageModel(spec).initialize(seed).eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.uniform_(0.5, 1.5, generator=generator)
    return model


def random_tokens(n_rows=3, length=13):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(VOCAB_SIZE, (n_rows, length), generator=generator)


@torch.no_grad()
def save_reference(folder, config, dtype=torch.float32):
    """Let transformers save a model as lively as ours; return it."""
    model = pytest.importorskip("transformers").AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.uniform_(0.5, 1.5, generator=generator)
        else:
            parameter.normal_(std=0.3, generator=generator)
    model.to(dtype).save_pretrained(folder)
    return model


@torch.no_grad()
def reference_logits(folder, tokens, **arguments):
    """Return what transformers computes from a folder that it must read without complaint."""
    transformers = pytest.importorskip("transformers")
    model, about = transformers.AutoModelForCausalLM.from_pretrained(
        folder, output_loading_info=True, dtype=torch.float32
    )
    assert not any(about.values()), about
    return model.eval()(tokens, **arguments).logits


def relative(a, b):
    """Return the largest difference, relative to the largest value."""
    return float((a - b).abs().max() / b.abs().max())


def assert_bit_equal(model, other):
    """Compare all tensors of two models."""
    theirs = other.state_dict()
    assert model.state_dict().keys() == theirs.keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name


def assert_same_logits(model, folder, tokens=None):
    """Compare a model with what transformers reads from a folder."""
    tokens = random_tokens() if tokens is None else tokens
    with torch.no_grad():
        ours = model(tokens)
    assert relative(reference_logits(folder, tokens), ours) <= 1e-5


def edit_config(folder, **changes):
    """Change fields of a folder's configuration; None removes one."""
    config = json.loads((folder / "config.json").read_text()) | changes
    config = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config))
