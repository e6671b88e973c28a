"""Looking ahead is found, and named by the first layer that does it."""

import pytest
import torch

from harness.core.causality import find_leak, lively
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec

TINY = {
    "d_model": 32, "n_layers": 3, "n_heads": 4, "d_ff": 48, "vocab_size": 61, "max_seq_len": 32,
}  # fmt: skip


def model(**changes):
    return lively(LanguageModel(VariantSpec.read({**TINY, **changes})))


def rows():
    return torch.randint(61, (2, 13), generator=torch.Generator().manual_seed(0))


def ahead(part, share=0.1):
    """Let what a part of a model returns depend on the next token."""
    return part.register_forward_hook(lambda _, __, y: y + share * y.roll(-1, dims=1))


@pytest.mark.parametrize("attention", ["gqa", "mla", "differential", "gated_delta"])
def test_a_causal_model_has_no_leak(attention):
    assert find_leak(model(attention=attention), rows(), (1, 6, 12)) is None


def test_dropout_is_no_leak_and_the_model_stays_in_its_mode():
    dropping = model(dropout=0.3).train()
    assert find_leak(dropping, rows(), (1, 6)) is None
    assert dropping.training and dropping.spec.dropout == 0.3


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        ("blocks.1.attention", "attention"),
        ("blocks.2.ffn", "ffn"),
        ("blocks.0.attention.k_norm", "norm"),
        ("embedding", "embedding"),
        ("head", "head"),
    ],
)
def test_the_first_layer_that_looks_ahead_is_named(name, slot):
    leaking = model()
    ahead(leaking.get_submodule(name))
    leak = find_leak(leaking, rows(), (6,))
    assert (leak.module, leak.slot, leak.position, leak.form) == (name, slot, 6, "training")
    assert f"{name} ({slot}) looks ahead" in str(leak)


def test_a_small_leak_is_found_and_rounding_is_none():
    leaking = model()
    hook = ahead(leaking.blocks[0], share=1e-4)
    assert find_leak(leaking, rows(), (6,)).module == "blocks.0"
    hook.remove()
    ahead(leaking.blocks[0], share=1e-9)
    assert find_leak(leaking, rows(), (6,)) is None


def test_a_leak_at_inference_alone_is_found_in_that_form():
    leaking = model()
    ffn = leaking.blocks[1].ffn
    ffn.register_forward_hook(lambda m, _, y: y if m.training else y + y.mean(1, keepdim=True))
    leak = find_leak(leaking, rows(), (6,))
    assert (leak.module, leak.form) == ("blocks.1.ffn", "inference")


def test_a_leak_through_a_cache_alone_is_found_in_that_form():
    leaking = model()
    attention = leaking.blocks[2].attention

    def hook(_, inputs, y):
        return y if inputs[1].caches is None else y + 0.1 * y.roll(-1, dims=1)

    attention.register_forward_hook(hook)
    leak = find_leak(leaking, rows(), (6,))
    assert (leak.module, leak.form) == ("blocks.2.attention", "cached")


def test_what_depends_on_how_many_tokens_follow_is_a_leak():
    leaking = model()
    leaking.norm.register_forward_hook(lambda _, __, y: y * (1 + y.shape[1] / 100))
    assert find_leak(leaking, rows(), (6,)).module == "norm"


def test_a_row_alone_is_tested_with_other_tokens():
    leaking = model()
    ahead(leaking.blocks[0].ffn)
    assert find_leak(leaking, rows()[:1], (6,)).module == "blocks.0.ffn"
