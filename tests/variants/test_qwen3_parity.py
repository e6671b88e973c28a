"""The baseline is Qwen3: the same weights give the reference's logits and loss.

Fresh weights hide faults, so every case here is lively: norm weights away from 1 (with weights of 1
a norm before the rotation equals one after it), matrices large enough that attention is not
uniform, several key-value heads but fewer than query heads, a head_dim of its own, odd lengths.
"""

import pytest
import torch

from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec

transformers = pytest.importorskip("transformers")

NAMES = {  # ours -> transformers
    "embedding.": "model.embed_tokens.",
    "blocks.": "model.layers.",
    ".attention_norm.": ".input_layernorm.",
    ".ffn_norm.": ".post_attention_layernorm.",
    ".attention.": ".self_attn.",
    ".ffn.": ".mlp.",
    "head.": "lm_head.",
}
SHAPES = {
    "wide heads": {"d_model": 40, "n_heads": 6, "n_kv_heads": 3, "head_dim": 16},
    "narrow heads": {"d_model": 48, "n_heads": 4, "n_kv_heads": 2, "head_dim": 6},
    "square": {"d_model": 48, "n_heads": 6, "n_kv_heads": 2, "head_dim": 8},  # h * hd = d
}
N_LAYERS, D_FF, VOCAB_SIZE, LENGTH = 2, 56, 83, 13


def reference_name(name):
    for ours, theirs in NAMES.items():
        name = name.replace(ours, theirs)
    return f"model.{name}" if name.startswith("norm.") else name


@torch.no_grad()
def pair(shape, theta=1e4, tied=True, std=0.3, bias=False):
    """Return transformers' Qwen3 and ours with the same lively weights."""
    config = transformers.Qwen3Config(
        hidden_size=shape["d_model"], num_hidden_layers=N_LAYERS,
        num_attention_heads=shape["n_heads"], num_key_value_heads=shape["n_kv_heads"],
        head_dim=shape["head_dim"], intermediate_size=D_FF, vocab_size=VOCAB_SIZE,
        tie_word_embeddings=tied, attention_bias=bias, rms_norm_eps=1e-6,
        rope_parameters={"rope_theta": theta, "rope_type": "default"},
    )  # fmt: skip
    reference = transformers.Qwen3ForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in reference.parameters():
        if parameter.ndim == 1:
            parameter.uniform_(0.5, 1.5, generator=generator)
        else:
            parameter.normal_(std=std, generator=generator)
    spec = VariantSpec.read(
        {
            **{k: v for k, v in shape.items() if k != "n_kv_heads"},
            "n_layers": N_LAYERS, "d_ff": D_FF, "vocab_size": VOCAB_SIZE, "max_seq_len": 64,
            "attention": {"name": "gqa", "n_kv_heads": shape["n_kv_heads"], "bias": bias},
            "position": {"name": "rope", "theta": theta}, "tie_embeddings": tied,
        }
    )  # fmt: skip
    model, weights = LanguageModel(spec), reference.state_dict()
    assert {reference_name(name) for name in model.state_dict()} == set(weights)
    model.load_state_dict({name: weights[reference_name(name)] for name in model.state_dict()})
    return reference, model.eval()


def random_tokens(n_rows=3, length=LENGTH):
    return torch.randint(VOCAB_SIZE, (n_rows, length), generator=torch.Generator().manual_seed(1))


def assert_near(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("theta", [1e4, 1e6])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@torch.no_grad()
def test_logits_match_the_reference_implementation(shape, theta, tied):
    reference, model = pair(shape, theta, tied)
    tokens = random_tokens()
    assert_near(model(tokens), reference(tokens).logits)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_training_loss_and_gradients_match_the_reference_and_its_internal_shift(tied):
    reference, model = pair(SHAPES["wide heads"], tied=tied)
    tokens = random_tokens()
    theirs = reference(input_ids=tokens, labels=tokens).loss
    ours = model.loss(tokens[:, :-1], tokens[:, 1:])
    assert_near(ours, theirs)
    ours.backward()
    theirs.backward()
    gradients = {name: p.grad for name, p in reference.named_parameters()}
    for name, parameter in model.named_parameters():
        assert_near(parameter.grad, gradients[reference_name(name)])


@torch.no_grad()
def test_logits_match_where_activations_are_so_small_that_eps_counts():
    reference, model = pair(SHAPES["wide heads"], std=0.2)
    for network in (reference, model):
        for parameter in network.parameters():
            if parameter.shape == (VOCAB_SIZE, 40):
                parameter *= 0.005  # a mean square of 1e-6: as large as eps
    tokens = random_tokens()
    scale = reference(tokens).logits.abs().max()
    assert_near(model(tokens) / scale, reference(tokens).logits / scale)


@torch.no_grad()
def test_biases_match_the_reference():
    reference, model = pair(SHAPES["square"], bias=True)
    tokens = random_tokens()
    assert_near(model(tokens), reference(tokens).logits)


@torch.no_grad()
def test_left_padded_rows_match_the_reference():
    reference, model = pair(SHAPES["wide heads"])
    tokens, valid = random_tokens(2), torch.ones(2, LENGTH, dtype=torch.bool)
    valid[0, :4] = False
    theirs = reference(
        input_ids=tokens,
        attention_mask=valid.long(),
        position_ids=(valid.cumsum(1) - 1).clamp(min=0),
    ).logits
    assert_near(model(tokens, valid=valid)[valid], theirs[valid])


@torch.no_grad()
def test_generation_through_a_cache_matches_the_reference():
    reference, model = pair(SHAPES["wide heads"])
    tokens, caches = random_tokens(2), model.new_caches(2, LENGTH)
    past, ours, theirs = None, [], []
    for part in tokens.split([5, 1, 1, 6], dim=1):
        out = reference(input_ids=part, past_key_values=past, use_cache=True)
        past = out.past_key_values
        theirs.append(out.logits)
        ours.append(model(part, caches=caches))
    assert_near(torch.cat(ours, dim=1), torch.cat(theirs, dim=1))


@torch.no_grad()
def test_in_bfloat16_the_norm_rounds_where_the_reference_rounds():
    reference, model = pair(SHAPES["wide heads"])
    norm, theirs = model.norm.to(torch.bfloat16), reference.model.norm.to(torch.bfloat16)
    x = torch.randn(64, 40, generator=torch.Generator().manual_seed(2)).to(torch.bfloat16)
    assert torch.equal(norm(x), theirs(x))


@torch.no_grad()
def test_one_layer_knows_the_order_of_what_came_before():
    """Without positions a causal layer is a set function of its prefix."""
    shape = {"d_model": 32, "n_layers": 1, "n_heads": 4, "head_dim": 8, "d_ff": 48}
    tokens = random_tokens(1)
    tokens[0, 2:4] = torch.tensor([5, 6])
    swapped = tokens.clone()
    swapped[0, 2:4] = torch.tensor([6, 5])
    for position, knows in ("rope", True), ("none", False):
        written = {**shape, "vocab_size": VOCAB_SIZE, "max_seq_len": 64, "position": position}
        model = LanguageModel(VariantSpec.read({**written, "init": {"std": 0.3}})).initialize(0)
        moved = (model(swapped) - model(tokens))[0, -1].abs().max()
        assert moved > 1e-3 if knows else moved <= 1e-5
