"""What grouped-query attention and its options compute, beyond what every component must do."""

import math

import pytest
import torch
from torch import nn

from harness.contracts.check import EVERY
from harness.contracts.subject import LENGTH, Subject, distance, lively, logits, tokens
from harness.core.context import Context
from harness.core.cost import measure_cost
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from variants.presets import preset

D, H, K, C = 48, 6, 3, 16  # heads are wider than d_model / n_heads, and 2 queries share a key
WIDE = {"d_model": D, "n_heads": H, "head_dim": C, "position": "none"}
B, T = 2, 13


def gqa(**options):
    return {"name": "gqa", **options}


def model(n_layers=2, attention=None, position="none", **options):
    """A lively model whose layers have these options, or those of a list."""
    chosen = attention or gqa(**{"n_kv_heads": K, **options})
    sizes = {**WIDE, "n_layers": n_layers, "position": position}
    return Subject("ffn", "swiglu").model(**sizes, attention=chosen)


def layer(**options):
    return model(**options).blocks[0].attention


def context(n_tokens=T, n_rows=B):
    return Context(torch.arange(n_tokens).expand(n_rows, n_tokens))


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def near(ours, theirs, tolerance=1e-5):
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


# Shapes and counts


@pytest.mark.row("R0-09", "R2-04", "R2-11")
def test_projections_have_the_widths_of_their_heads_and_no_biases():
    built = layer()
    shapes = {name: tuple(p.shape) for name, p in built.named_parameters()}
    assert shapes == {
        "q_proj.weight": (H * C, D),
        "k_proj.weight": (K * C, D),
        "v_proj.weight": (K * C, D),
        "o_proj.weight": (D, H * C),
        "q_norm.weight": (C,),
        "k_norm.weight": (C,),
    }


@pytest.mark.row("R0-09")
@torch.no_grad()
def test_what_is_mixed_goes_through_the_output_projection():
    """Also where its shape would let it pass."""
    built = Subject("attention", "gqa").model().blocks[0].attention
    assert built.o_proj.weight.shape == (32, 32)
    x = random(B, T, 32)
    before = built(x, context())
    built.o_proj.weight.mul_(-2)
    near(built(x, context()), -2 * before)


@pytest.mark.row("R4-39")
def test_biases_are_those_of_the_four_projections():
    counts = [sum(p.numel() for p in layer(bias=bias).parameters()) for bias in (False, True)]
    assert counts[1] - counts[0] == H * C + 2 * K * C + D


@pytest.mark.row("R0-12")
def test_all_heads_with_keys_of_their_own_are_multi_head_and_one_key_is_multi_query():
    for alias, n_kv_heads in ("mha", H), ("mqa", 1):
        one, other = model(attention=alias), model(n_kv_heads=n_kv_heads)
        assert torch.equal(logits(one, tokens()), logits(other, tokens()))
        assert one.blocks[0].attention.k_proj.out_features == n_kv_heads * C
    with pytest.raises(ConfigError, match=r"n_heads \(6\) must be a multiple of n_kv_heads \(4\)"):
        model(n_kv_heads=4)


@pytest.mark.row("R0-13", "R4-02")
@pytest.mark.parametrize("n_kv_heads", [8, 4, 2, 1])
def test_the_cache_shrinks_as_the_key_value_heads_do(n_kv_heads):
    def spec(attention):
        return VariantSpec.read({**preset("tiny"), "n_heads": 8, "head_dim": 16, "vocab_size": 64,
                                 "attention": attention})  # fmt: skip

    fewer = measure_cost(spec(gqa(n_kv_heads=n_kv_heads)), 32)
    assert measure_cost(spec("mha"), 32).cache_bytes / fewer.cache_bytes == 8 / n_kv_heads


@pytest.mark.row("R4-02")
def test_of_8_query_and_2_key_value_heads_there_are_12_instead_of_24():
    def heads(n_kv_heads):
        built = Subject("attention", "gqa", {"n_kv_heads": n_kv_heads}).model(n_heads=8)
        projections = built.blocks[0].attention
        widths = [projections.get_submodule(f"{p}_proj").out_features for p in "qkv"]
        return sum(widths) // 8

    assert (heads(8), heads(2)) == (24, 12)


@pytest.mark.row("R1-14")
def test_the_smallest_qwen3_keeps_8_heads_and_114688_bytes_a_token():
    with torch.device("meta"):
        built = LanguageModel(VariantSpec.read(preset("qwen3-0.6b")))
        caches = built.new_caches(1, 16, torch.bfloat16)
    assert {tuple(b.shape) for c in caches for b in c.buffers.values()} == {(1, 16, 8, 128)}
    assert sum(cache.nbytes for cache in caches) == 16 * 114_688


@pytest.mark.row("R3-07")
def test_the_attention_of_a_1024_wide_model_with_16_and_4_heads():
    sizes = {"d_model": 1024, "n_layers": 1, "n_heads": 16, "d_ff": 8, "vocab_size": 4,
             "max_seq_len": 2048, "attention": gqa(n_kv_heads=4, qk_norm=False)}  # fmt: skip
    with torch.device("meta"):
        built = LanguageModel(VariantSpec.read(sizes)).blocks[0].attention
        assert built(torch.zeros(4, 128, 1024), context(128, 4)).shape == (4, 128, 1024)
        cache = built.new_cache(32, 2048, torch.device("meta"), torch.float32)
    assert built.k_proj.out_features == built.v_proj.out_features == 256
    assert {tuple(b.shape) for b in cache.buffers.values()} == {(32, 2048, 4, 64)}


# Norms of queries and keys


def rms(x):
    return x.square().mean(-1).sqrt()


@pytest.mark.row("R0-10", "R2-03")
@torch.no_grad()
def test_each_head_of_queries_and_keys_is_brought_to_scale():
    built, seen = layer(), {}
    for name in ("q_norm", "k_norm"):
        built.get_submodule(name).weight.fill_(1)
        built.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: seen.update({name: out})
        )
    built(random(B, T, D), context())
    assert {name: tuple(out.shape) for name, out in seen.items()} == {
        "q_norm": (B, T, H, C),
        "k_norm": (B, T, K, C),
    }
    for out in seen.values():
        near(rms(out), torch.ones(out.shape[:3]), 1e-4)


@pytest.mark.row("R0-10")
@pytest.mark.parametrize("choice", ["head", "full"])
@torch.no_grad()
def test_norms_come_before_the_rotation(choice):
    """Weights of a norm that differ between channels do not commute with a rotation."""
    built = Subject("ffn", "swiglu").model(attention=gqa(qk_norm=choice)).blocks[0].attention
    x, unmoved = random(B, T, 32), Context(torch.zeros(B, T, dtype=torch.long))
    q = built.q_proj(x)
    normed = built.q_norm(q) if choice == "full" else built.q_norm(q.view(B, T, 4, 8)).flatten(2)
    seen = []
    built.position.rotate = lambda q, k, context: seen.append(q) or (q, k)
    built(x, unmoved)
    near(seen[0].flatten(2), normed)


@pytest.mark.row("R2-03")
def test_without_the_norm_its_weights_are_gone():
    counts = {
        choice: sum(p.numel() for p in layer(qk_norm=choice).parameters())
        for choice in ("none", "head", "full")
    }
    assert counts["head"] - counts["none"] == 2 * C
    assert counts["full"] - counts["none"] == (H + K) * C


@pytest.mark.row("R1-22")
def test_norms_over_the_whole_projection_add_what_one_reference_has_of_them():
    def params(qk_norm):
        attention = gqa(n_kv_heads=8, qk_norm=qk_norm)
        spec = {**preset("qwen3-0.6b"), "attention": attention, "tie_embeddings": False}
        with torch.device("meta"):
            return sum(p.numel() for p in LanguageModel(VariantSpec.read(spec)).parameters())

    assert params("full") == 751_711_232
    assert params("head") == 751_632_384


@pytest.mark.parametrize(("said", "meant"), [(True, "head"), (False, "none")])
def test_configurations_from_before_the_third_norm_still_load(said, meant):
    written = {**preset("tiny"), "vocab_size": 64}
    old, new = (
        VariantSpec.read({**written, "attention": gqa(qk_norm=choice)}) for choice in (said, meant)
    )
    assert old == new and old.attention[0].options["qk_norm"] == meant


# Against the models that have these options

transformers = pytest.importorskip("transformers")
REFERENCES = {  # module of transformers: our options, what its configuration says besides
    "qwen3.Qwen3": ({}, {}),
    "qwen3_next.Qwen3Next": ({"gate": True}, {}),
    "olmo2.Olmo2": ({"qk_norm": "full"}, {}),
    "gemma2.Gemma2": (
        {"qk_norm": "none", "softcap": 1.5},
        {"attn_logit_softcapping": 1.5, "query_pre_attn_scalar": C},
    ),
    "gpt_oss.GptOss": ({"qk_norm": "none", "sinks": True, "bias": True}, {"attention_bias": True}),
}


@torch.no_grad()
def reference_like(built, name, **said):
    """The attention of another model with the weights of ours."""
    module, prefix = name.split(".")
    home = getattr(transformers.models, module)
    config = getattr(home, f"{prefix}Config")(
        hidden_size=D, num_attention_heads=H, num_key_value_heads=K, head_dim=C,
        num_hidden_layers=1, vocab_size=8, rms_norm_eps=1e-6, **said,
    )  # fmt: skip
    config._attn_implementation = "eager"
    modeling = getattr(home, f"modeling_{module}")
    reference = getattr(modeling, f"{prefix}Attention")(config, layer_idx=0)
    weights = dict(built.named_parameters())
    if (
        gate := weights.pop("gate_proj.weight", None)
    ) is not None:  # there each head's gate is beside its query
        pairs = torch.stack([w.view(H, C, D) for w in (weights["q_proj.weight"], gate)], dim=1)
        weights["q_proj.weight"] = pairs.flatten(0, 2)
        weights |= {n: w - 1 for n, w in weights.items() if "norm" in n}  # there 1 is added
    reference.load_state_dict(weights, strict=True)
    return reference.eval()


@pytest.mark.row("R1-09", "R2-06")
@pytest.mark.parametrize("name", REFERENCES)
@torch.no_grad()
def test_options_are_what_the_models_that_introduced_them_do(name):
    options, said = REFERENCES[name]
    built = layer(**options)
    x, causal = random(B, T, D), torch.full((T, T), float("-inf")).triu(1)[None, None]
    unturned = torch.ones(1, T, C), torch.zeros(1, T, C)
    if name == "gpt_oss.GptOss":  # its tables have half the channels
        unturned = tuple(table[..., : C // 2] for table in unturned)
    theirs, _ = reference_like(built, name, **said)(
        hidden_states=x, position_embeddings=unturned, attention_mask=causal
    )
    ours = built(x, context())
    near(ours, theirs, 2e-5)
    plain, weights = layer(), dict(built.named_parameters())
    for weight_name, weight in plain.named_parameters():
        if weight_name in weights and weights[weight_name].shape == weight.shape:
            weight.copy_(weights[weight_name])
    assert name == "qwen3.Qwen3" or distance(plain(x, context()), ours) > 1e-2


@pytest.mark.row("R1-09")
def test_the_norms_of_the_smallest_qwen3_have_128_weights():
    with torch.device("meta"):
        built = LanguageModel(VariantSpec.read({**preset("qwen3-0.6b"), "n_layers": 1}))
    assert built.blocks[0].attention.q_norm.weight.shape == (128,)


@pytest.mark.row("R2-34")
@pytest.mark.parametrize("n_tokens", [13, 150], ids=["whole", "cut into blocks"])
@pytest.mark.parametrize("first_windowed", [0, 1, 3])
@torch.no_grad()
def test_windows_of_later_layers_match_the_reference(first_windowed, n_tokens):
    window, n_layers = 5, 3
    config = transformers.Qwen3Config(
        hidden_size=D, num_hidden_layers=n_layers, num_attention_heads=H, num_key_value_heads=K,
        head_dim=C, intermediate_size=48, vocab_size=61, tie_word_embeddings=True,
        rope_parameters={"rope_theta": 1e4, "rope_type": "default"},
        use_sliding_window=True, sliding_window=window, max_window_layers=first_windowed,
    )  # fmt: skip
    reference = transformers.Qwen3ForCausalLM(config).eval()
    ours = lively(
        LanguageModel(
            VariantSpec.read(
                {**WIDE, "n_layers": n_layers, "d_ff": 48, "vocab_size": 61, "max_seq_len": 256,
                 "position": {"name": "rope", "theta": 1e4}, "init": {"std": 0.3},
                 "attention": [gqa(n_kv_heads=K, window=window if i >= first_windowed else None)
                               for i in range(n_layers)]}
            )
        )
    )  # fmt: skip
    parts = {"attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
             "attention": "self_attn", "ffn": "mlp"}  # fmt: skip
    reference.model.embed_tokens.load_state_dict(ours.embedding.state_dict())
    reference.model.norm.load_state_dict(ours.norm.state_dict())
    for block, theirs in zip(ours.blocks, reference.model.layers, strict=True):
        for name, part in parts.items():
            theirs.get_submodule(part).load_state_dict(block.get_submodule(name).state_dict())
    batch = tokens(B, n_tokens)
    assert distance(logits(ours, batch), reference(batch).logits) <= 1e-5


# Windows


@pytest.mark.row("R2-34")
@pytest.mark.parametrize("n_tokens", [13, 150], ids=["whole", "cut into blocks"])
def test_an_output_has_gradient_from_the_tokens_of_its_window_alone(n_tokens):
    x = random(B, n_tokens, D).requires_grad_()
    out = layer(window=4)(x, context(n_tokens))
    for t in (0, 2, 3, 4, n_tokens - 1):
        (grad,) = torch.autograd.grad(out[0, t].square().sum(), x, retain_graph=True)
        read = grad[0].abs().amax(-1).nonzero()[:, 0].tolist()
        assert read == list(range(max(t - 3, 0), t + 1))


def test_an_alias_gives_a_quarter_of_the_context_unless_a_window_is_chosen():
    written = {**preset("tiny"), "vocab_size": 64, "max_seq_len": 128}

    def read(**options):
        alias = {"name": "sliding_window", **options}
        return VariantSpec.read({**written, "attention": alias}).identity()["attention"]

    assert read() == {"name": "gqa", "window": 32}
    assert read(window=7, bias=True) == {"name": "gqa", "window": 7, "bias": True}


def test_a_window_keeps_no_more_than_it_reaches():
    spec = {**preset("tiny"), "vocab_size": 64}
    windowed = measure_cost(VariantSpec.read({**spec, "attention": gqa(window=20)}), 128)
    assert windowed.cache_bytes == measure_cost(VariantSpec.read(spec), 20).cache_bytes


# Gates, sinks and caps


@torch.no_grad()
def test_a_gate_scales_what_is_mixed_before_the_output_projection():
    built = layer(gate=True)
    x = random(B, T, D)
    mixed = []
    built.o_proj.register_forward_pre_hook(lambda _m, inputs: mixed.append(inputs[0]))
    built(x, context())
    gate = built.gate_proj
    built.gate_proj = None
    built(x, context())
    near(mixed[0], mixed[1] / (1 + (-gate(x)).exp()))


@torch.no_grad()
def test_a_sink_of_zero_is_a_key_of_score_zero_without_a_value():
    """At the first token: one key of score s, so its value is scaled by e^s / (e^s + 1)."""
    built = layer(sinks=True)
    assert torch.equal(layer(sinks=True).sinks.data, built.sinks.data)
    fresh = LanguageModel(VariantSpec.read({**preset("tiny"), "vocab_size": 8,
                                            "attention": gqa(sinks=True)}))  # fmt: skip
    assert not fresh.blocks[0].attention.sinks.any()
    built.sinks.zero_()
    x, mixed = random(B, 1, D), []
    built.o_proj.register_forward_pre_hook(lambda _m, inputs: mixed.append(inputs[0]))
    built(x, context(1))
    q = built.q_norm(built.q_proj(x).view(B, H, C))
    k = built.k_norm(built.k_proj(x).view(B, K, C)).repeat_interleave(H // K, dim=1)
    v = built.v_proj(x).view(B, K, C).repeat_interleave(H // K, dim=1)
    share = ((q * k).sum(-1, keepdim=True) / math.sqrt(C)).sigmoid()
    near(mixed[0][:, 0], (share * v).flatten(1))


# Across layers


def values(model, batch):
    """What the layers mix, by layer, as their caches keep it."""
    caches = model.new_caches(len(batch), batch.shape[1])
    logits(model, batch, caches=caches)
    return [cache.buffers.get("v") for cache in caches]


def own_values(model, batch):
    """What the layers' value projections give."""
    seen = []
    hooks = [
        block.attention.v_proj.register_forward_hook(lambda _m, _i, out: seen.append(out))
        for block in model.blocks
    ]
    logits(model, batch)
    for hook in hooks:
        hook.remove()
    return [v.unflatten(-1, (-1, C)) for v in seen]


def test_values_are_mixed_with_those_of_the_first_layer():
    built, batch = model(3, value_residual=True), tokens()
    own, kept = own_values(built, batch), values(built, batch)
    assert built.blocks[0].attention.value_weights is None
    near(kept[0], own[0])
    for i in (1, 2):
        first, second = built.blocks[i].attention.value_weights
        near(kept[i], first * own[i] + second * own[0])


def test_values_start_as_the_mean_of_both():
    fresh = LanguageModel(Subject("attention", "gqa", {"value_residual": True}).spec())
    assert fresh.blocks[1].attention.value_weights.tolist() == [0.5, 0.5]


def test_the_first_values_are_those_of_the_first_layer_that_mixes_any():
    mixes, plain = gqa(n_kv_heads=K, value_residual=True), gqa(n_kv_heads=2)
    built, batch = model(3, attention=[plain, mixes, mixes]), tokens()
    own, kept = own_values(built, batch), values(built, batch)
    near(kept[1], built.blocks[1].attention.value_weights.sum() * own[1])
    first, second = built.blocks[2].attention.value_weights
    near(kept[2], first * own[2] + second * own[1])


def test_values_of_other_heads_cannot_be_mixed():
    built = model(2, attention=[gqa(n_kv_heads=n, value_residual=True) for n in (2, 3)])
    with pytest.raises(ConfigError, match="layer 0 has 2 key-value heads and layer 1 has 3"):
        built(tokens())


def test_layers_in_a_row_share_the_keys_and_values_of_the_first():
    built, batch = model(5, position="rope", shared_kv=2), tokens()
    owners = [hasattr(block.attention, "k_proj") for block in built.blocks]
    assert owners == [True, False, True, False, True]
    everyone = model(5, position="rope")  # with its own keys and values for all, set to the owners'
    everyone.load_state_dict(built.state_dict(), strict=False)
    seen = {}
    for i, block in enumerate(built.blocks):
        block.register_forward_hook(lambda _m, inputs, _o, i=i: seen.update({i: inputs[0]}))
    expected = logits(built, batch)
    for i in (1, 3):  # a layer that shares reads the input of its owner through the owner's weights
        owner, reader = built.blocks[i - 1], everyone.blocks[i]
        x = owner.attention_norm(seen[i - 1])
        for part in ("k_proj", "v_proj", "k_norm"):
            source = owner.attention.get_submodule(part)
            setattr(reader.attention, part, _Fixed(source, x) if part != "k_norm" else source)
    near(logits(everyone, batch), expected)


class _Fixed(nn.Module):
    """A projection that is always of the same input."""

    def __init__(self, projection, x):
        super().__init__()
        self.projected = projection(x).detach()

    def forward(self, _x):
        return self.projected


def test_layers_that_share_cost_no_keys_no_values_and_no_cache():
    def cost(**options):
        written = {**preset("tiny"), "n_layers": 4, "vocab_size": 64, "attention": gqa(**options)}
        return measure_cost(VariantSpec.read(written), 32)

    alone, shared = cost(), cost(shared_kv=2)
    assert shared.cache_bytes * 2 == alone.cache_bytes
    width, kv_width, head_dim = 128, 64, 32
    assert alone.params - shared.params == 2 * (2 * width * kv_width + head_dim)


@pytest.mark.parametrize(
    ("attention", "said"),
    [
        (["mla", gqa(shared_kv=2)], "layer 1 reads the keys and values of layer 0"),
        ([gqa(), gqa(shared_kv=2)], "must be gqa with shared_kv 2, n_kv_heads 3 and window None"),
        ([gqa(shared_kv=2), gqa(shared_kv=2, window=4)], "n_kv_heads 3 and window 4, turned by"),
        (
            [gqa(shared_kv=2, n_kv_heads=1), gqa(shared_kv=2)],
            "n_kv_heads 3 and window None, turned",
        ),
    ],
    ids=["another component", "no sharer", "another window", "other heads"],
)
def test_sharing_with_a_layer_of_another_kind_is_refused(attention, said):
    with pytest.raises(ConfigError, match=said) as refused:
        model(2, attention=attention)(tokens())
    assert refused.value.problems[0].path == ("attention",)
    with pytest.raises(ConfigError, match=said):  # the plan prices it, and so refuses it
        measure_cost(model(2, attention=attention).spec, 8)


@pytest.mark.parametrize("second", ["none", {"name": "rope", "theta": 50.0}])
def test_keys_that_were_turned_otherwise_cannot_be_read(second):
    built = model(2, position=["rope", second], attention=gqa(shared_kv=2))
    with pytest.raises(ConfigError, match=r"of layer 0, which must be gqa .* turned by"):
        built(tokens())


def test_layers_of_an_objective_neither_share_nor_mix():
    """Their indices go on after the model's, and what they read is of other tokens."""
    options = {"shared_kv": 2, "value_residual": True}
    built = Subject("objective", "multi_token").model(n_layers=3, attention=gqa(**options))
    (beyond,) = (
        m for m in built.objective.modules() if type(m).__name__ == "GroupedQueryAttention"
    )
    assert beyond.layer_idx == 3 and hasattr(beyond, "k_proj") and beyond.value_weights is None
    built.train().loss(tokens(), tokens(seed=4)).backward()
    assert beyond.k_proj.weight.grad.any()


@pytest.mark.parametrize("options", [{"shared_kv": 2}, {"value_residual": True}], ids=str)
def test_what_crosses_layers_survives_recomputation(options):
    built, found = model(4, **options), []
    for built.checkpointing in (False, True):
        built.zero_grad()
        loss = built.loss(tokens(), tokens(seed=4))
        loss.backward()
        found.append([loss, *(p.grad for p in built.parameters())])
    for plain, recomputed in zip(*found, strict=True):
        near(recomputed, plain, 1e-6)


# Options together, under the contracts of every component


TOGETHER = {
    "window, cap and sinks": gqa(window=4, softcap=2.0, sinks=True),
    "shared, mixed and windowed": gqa(shared_kv=2, value_residual=True, window=4),
    "gated, normed and biased": gqa(gate=True, qk_norm="full", bias=True, sinks=True),
    "windows between": [gqa(window=3), gqa(), gqa(window=5, value_residual=True)],
    "pairs of windows": [gqa(window=3, shared_kv=2)] * 2 + [gqa(shared_kv=2)] * 2,
}


@pytest.mark.row("R1-10")
@pytest.mark.parametrize("contract", EVERY, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("attention", TOGETHER.values(), ids=TOGETHER)
def test_options_together_keep_every_contract(attention, contract):
    partners = {"attention": attention, "n_layers": 4, "position": "rope"}
    contract(Subject("ffn", "swiglu", {}, partners))


@pytest.mark.parametrize("options", [{"window": 4}, {"softcap": 2.0, "sinks": True}], ids=str)
def test_options_keep_every_contract_beside_a_bias(options):
    subject = Subject("position", "alibi", {}, {"attention": gqa(**options)})
    for contract in EVERY:
        contract(subject)


@pytest.mark.row("R1-10")
@pytest.mark.parametrize("options", [{}, {"window": 4}, {"softcap": 2.0}, {"sinks": True}], ids=str)
def test_an_edited_token_changes_nothing_before_it(options):
    built, batch = model(**options), tokens()
    edited = batch.clone()
    edited[:, 6] = (edited[:, 6] + 1) % 61
    moved = (logits(built, edited) - logits(built, batch)).abs().amax((0, 2))
    assert not moved[:6].any()
    last = LENGTH if "window" not in options else 6 + 4
    assert (moved[6:last] > 0).all()
