"""Latent attention against the paper's formulas, DeepSeek-V3, and itself in another form."""

import pytest
import torch

from harness.contracts.check import contracts_of
from harness.contracts.subject import Subject
from harness.core.context import Context
from harness.core.dims import Dims
from harness.core.flops import FlopCounter
from harness.core.slots import ATTENTION

H, C, L, R = 4, 8, 16, 4  # of the tiny model, by default

SUBJECTS = [
    Subject("attention", "mla", {"kv_latent": 4, "q_latent": 12}),
    Subject("attention", "mla", {"kv_latent": 40, "rope_dim": 2}, {"position": "alibi"}),
]


@pytest.mark.parametrize(
    ("subject", "contract"),
    [(s, c) for s in SUBJECTS for c in contracts_of(s)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_other_widths_keep_every_contract(subject, contract):
    contract(subject)


@pytest.mark.row("R2-35")
@pytest.mark.parametrize("q_latent", [None, 12])
def test_equals_the_formulas_of_the_paper(q_latent, build, x, context):
    mla = build("mla", position="rope", q_latent=q_latent)
    if q_latent is None:
        queries = x @ mla.q_proj.weight.T
    else:
        queries = mla.q_a_norm(x @ mla.q_a_proj.weight.T) @ mla.q_b_proj.weight.T
    down = x @ mla.kv_a_proj.weight.T
    latent = mla.kv_a_norm(down[..., :L])
    seen = torch.ones(13, 13, dtype=torch.bool).tril()
    mixed = []
    for head in range(H):
        of_head = queries[..., head * (C + R) : (head + 1) * (C + R)]
        turned_q, turned_k = mla.position.rotate(
            of_head[:, :, None, C:], down[:, :, None, L:], context
        )
        up = mla.kv_b_proj.weight[head * 2 * C : (head + 1) * 2 * C]
        k, v = latent @ up[:C].T, latent @ up[C:].T
        scores = of_head[..., :C] @ k.mT + turned_q[:, :, 0] @ turned_k[:, :, 0].mT
        weights = (scores / (C + R) ** 0.5).masked_fill(~seen, float("-inf")).softmax(-1)
        mixed.append(weights @ v)
    expected = torch.cat(mixed, dim=-1) @ mla.o_proj.weight.T
    torch.testing.assert_close(mla(x, context), expected)


@pytest.mark.row("R2-35")
def test_equals_deepseek_v3_with_the_same_weights(build, x, context):
    from transformers import DeepseekV3Config
    from transformers.models.deepseek_v3 import modeling_deepseek_v3 as theirs

    mla = build("mla", position={"name": "rope", "theta": 1e4}, q_latent=12)
    config = DeepseekV3Config(
        hidden_size=32,
        num_attention_heads=H,
        num_key_value_heads=H,
        q_lora_rank=12,
        kv_lora_rank=L,
        qk_nope_head_dim=C,
        v_head_dim=C,
        qk_rope_head_dim=R,
        rope_theta=1e4,
        rope_interleave=False,
        attn_implementation="eager",
    )
    attention = theirs.DeepseekV3Attention(config, 0).double()
    names = {"q_a_norm": "q_a_layernorm", "kv_a_norm": "kv_a_layernorm"}
    names["kv_a_proj"] = "kv_a_proj_with_mqa"
    weights = {}
    for name, weight in mla.state_dict().items():
        part, _, rest = name.partition(".")
        weights[f"{names.get(part, part)}.{rest}"] = weight
    attention.load_state_dict(weights)
    tables = theirs.DeepseekV3RotaryEmbedding(config)(x, context.positions)
    future = torch.ones(13, 13, dtype=torch.bool).triu(1)
    mask = torch.zeros(13, 13, dtype=torch.float64).masked_fill(future, float("-inf"))
    with torch.no_grad():
        expected, _ = attention(x, tables, mask[None, None])
    torch.testing.assert_close(mla(x, context), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("position", ["rope", "alibi"])
@pytest.mark.parametrize("n_new", [1, 5, 13])
def test_both_forms_are_equal(position, n_new, build, x, context, monkeypatch):
    mla = build("mla", position=position)
    whole = mla(x, context)[:, -n_new:]
    for absorbed in (True, False):
        monkeypatch.setattr(mla, "_absorbing_is_cheaper", lambda *_, chosen=absorbed: chosen)
        cache = mla.new_cache(2, 13, x.device, x.dtype)
        for part in x.split([13 - n_new, n_new], dim=1):
            positions = cache.lengths[:, None] + torch.arange(part.shape[1])
            out = mla(part, Context(positions, caches=[cache, cache]))
        torch.testing.assert_close(out, whole)


@pytest.mark.parametrize("kv_latent", [4, 8, 16, 30])
def test_the_form_of_fewer_flops_is_chosen(kv_latent, build, x, monkeypatch):
    mla = build("mla", kv_latent=kv_latent)
    for n_keys, n_new in [(13, 1), (13, 3), (13, 6), (13, 9), (13, 12), (13, 13), (1, 1)]:
        positions = torch.arange(n_keys - n_new, n_keys).expand(2, -1)
        chosen = mla._absorbing_is_cheaper(x[:, :n_new], x[:, :n_keys])
        flops = {}
        for absorbed in (True, False):
            monkeypatch.setattr(mla, "_absorbing_is_cheaper", lambda *_, a=absorbed: a)
            cache = mla.new_cache(2, 13, x.device, x.dtype)
            cache.lengths += n_keys - n_new
            cache._longest = n_keys - n_new
            with FlopCounter() as counter, torch.no_grad():
                mla(x[:, :n_new], Context(positions, caches=[cache, cache]))
            flops[absorbed] = counter.get_total_flops()
            monkeypatch.undo()
        assert flops[chosen] == min(flops.values()), (n_keys, n_new, flops)


def test_the_cache_holds_one_latent_and_one_rotated_key_a_token(build, x):
    cache = build("mla").new_cache(2, 10, x.device, torch.bfloat16)
    assert {name: tuple(b.shape) for name, b in cache.buffers.items()} == {
        "latent": (2, 10, L),
        "k_rope": (2, 10, R),
    }
    assert cache.nbytes == 2 * 10 * (L + R) * 2


@pytest.mark.parametrize(
    ("d_model", "head_dim", "widths"),
    [(5120, 128, (512, 64)), (256, 64, (128, 32)), (32, 6, (16, 2)), (2, 1, (1, 2))],
)
def test_default_widths_are_those_of_deepseek_v2_within_half_the_model(d_model, head_dim, widths):
    sizes = {"n_layers": 1, "n_heads": 2, "d_ff": 8, "vocab_size": 8, "max_seq_len": 8}
    dims = Dims(d_model=d_model, head_dim=head_dim, **sizes)
    options = ATTENTION.resolve("mla", dims).options
    assert (options["kv_latent"], options["rope_dim"]) == widths
    assert options["q_latent"] is None
