"""Forgetting attention against its formula, and what becomes of it with open and closed gates."""

import pytest
import torch

from harness.contracts.check import contracts_of
from harness.contracts.subject import LENGTH, Subject, distance, logits, tokens
from harness.core.context import Context
from variants.attention.forgetting import ForgettingAttention

H, C = 4, 8

SUBJECTS = [
    Subject("attention", "forgetting", {"n_kv_heads": 1}, {"position": "none"}),
    Subject("attention", "forgetting", {}, {"position": "alibi"}),
]


@pytest.mark.parametrize(
    ("subject", "contract"),
    [(s, c) for s in SUBJECTS for c in contracts_of(s)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_other_options_and_positions_keep_every_contract(subject, contract):
    contract(subject)


@pytest.mark.parametrize("position", ["none", "rope", "alibi"])
def test_equals_its_formula(position, build, x, context):
    layer = build("forgetting", position=position, n_kv_heads=2)
    q = layer.q_norm((x @ layer.q_proj.weight.T).unflatten(-1, (H, C)))
    k = layer.k_norm((x @ layer.k_proj.weight.T).unflatten(-1, (2, C)))
    q, k = layer.position.rotate(q, k, context)
    v = (x @ layer.v_proj.weight.T).unflatten(-1, (2, C))
    gates = torch.sigmoid(x @ layer.f_proj.weight.T + layer.f_proj.bias)
    of_position = layer.position.bias(context, context.positions)
    mixed = torch.zeros(2, 13, H, C, dtype=torch.float64)
    for head in range(H):
        for i in range(13):
            weights = torch.stack([
                (q[:, i, head] * k[:, j, head // 2]).sum(-1).div(C**0.5).exp()
                * gates[:, j + 1 : i + 1, head].prod(-1)
                * (1 if of_position is None else of_position[:, head, i, j].exp())
                for j in range(i + 1)
            ], dim=-1)  # fmt: skip
            weights = weights / weights.sum(-1, keepdim=True)
            mixed[:, i, head] = (weights[..., None] * v[:, : i + 1, head // 2]).sum(1)
    expected = mixed.flatten(2) @ layer.o_proj.weight.T
    # the sums of log gates are in fp32
    torch.testing.assert_close(layer(x, context), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("position", ["none", "rope"])
def test_with_open_gates_it_is_softmax_attention(position, build, x, context):
    layer, softmax = (build(n, position=position) for n in ("forgetting", "gqa"))
    softmax.load_state_dict(layer.state_dict(), strict=False)
    with torch.no_grad():
        layer.f_proj.weight.zero_()
        layer.f_proj.bias.fill_(100)
    torch.testing.assert_close(layer(x, context), softmax(x, context))


def test_with_closed_gates_a_token_sees_only_itself(build, x, context):
    layer = build("forgetting")
    with torch.no_grad():
        layer.f_proj.weight.zero_()
        layer.f_proj.bias.fill_(-100)
    v = (x @ layer.v_proj.weight.T).unflatten(-1, (2, C)).repeat_interleave(2, dim=2)
    torch.testing.assert_close(layer(x, context), v.flatten(2) @ layer.o_proj.weight.T)


@pytest.mark.parametrize(("n_heads", "memories"), [(1, [1024]), (4, [1024, 256, 64, 16])])
def test_heads_start_with_long_memories(n_heads, memories):
    dims = Subject("attention", "forgetting").spec(n_heads=n_heads).dims
    fresh = ForgettingAttention(dims, 0, torch.nn.Identity, torch.nn.Identity)
    forgets = 1 - torch.sigmoid(fresh.f_proj.bias.detach().double())
    torch.testing.assert_close(1 / forgets, torch.tensor(memories).double(), rtol=1e-4, atol=0)


def test_sums_of_gates_stay_exact_in_a_cache_of_bf16(build, x):
    cache = build("forgetting").new_cache(2, 10, x.device, torch.bfloat16)
    assert cache.buffers["k"].dtype == torch.bfloat16
    assert cache.buffers["forgotten"].dtype == torch.float32
    assert cache.nbytes == 2 * 10 * (2 * 2 * C * 2 + H * 4)


def test_a_row_cropped_to_nothing_starts_afresh():
    model, batch, other = Subject("attention", "forgetting").model(), tokens(), tokens(seed=5)
    caches = model.new_caches(2, LENGTH)
    logits(model, batch[:, :6], caches=caches)
    for cache in caches:
        cache.crop(torch.tensor([0, 6]))
    out = logits(model, torch.stack([other[0, :5], batch[1, 6:11]]), caches=caches)
    assert distance(out[:1], logits(model, other[:1, :5])) <= 1e-5
    assert distance(out[1:], logits(model, batch[1:, :11])[:, 6:]) <= 1e-5


def test_padding_between_tokens_forgets_nothing(build, x):
    layer = build("forgetting", position="rope")
    valid = torch.ones(2, 13, dtype=torch.bool)
    valid[:, [3, 4, 9]] = False
    out = layer(x, Context((valid.cumsum(1) - 1).clamp(min=0), valid=valid))
    alone = layer(x[:, valid[0]], Context(torch.arange(10).expand(2, 10)))
    assert distance(out[:, valid[0]], alone) <= 1e-6


def test_a_document_forgets_as_if_nothing_stood_before_it(build):
    layer = build("forgetting").float()
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1, 3000, 32, generator=generator)
    with torch.no_grad():
        layer.f_proj.bias.fill_(-2)  # sums reach the thousands, where fp32 rounds by 1e-4 and more
        documents = torch.tensor([[0] * 2900 + [1] * 100])
        positions = torch.arange(3000)[None]
        packed = layer(x, Context(positions, documents=documents))[:, 2900:]
        alone = layer(x[:, 2900:], Context(positions[:, :100]))
    assert distance(packed, alone) <= 1e-6
