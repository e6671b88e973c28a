"""Differential attention against two softmax maps written out, and its pairing of heads."""

import math

import pytest
import torch

from harness.contracts.check import contracts_of
from harness.contracts.subject import Subject
from harness.core.spec import VariantSpec
from harness.errors import ConfigError

H, C = 4, 8

SUBJECTS = [
    Subject("attention", "differential", {"n_kv_heads": 4}),
    Subject("attention", "differential", {}, {"position": "alibi"}),
]


@pytest.mark.parametrize(
    ("subject", "contract"),
    [(s, c) for s in SUBJECTS for c in contracts_of(s)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_other_options_and_biases_keep_every_contract(subject, contract):
    contract(subject)


@pytest.mark.parametrize("position", ["none", "rope", "alibi"])
@pytest.mark.parametrize("n_kv_heads", [2, 4])
def test_equals_the_difference_of_two_softmax_maps(n_kv_heads, position, build, x, context):
    layer = build("differential", position=position, n_kv_heads=n_kv_heads)
    q = layer.q_norm((x @ layer.q_proj.weight.T).unflatten(-1, (H, C)))
    k = layer.k_norm((x @ layer.k_proj.weight.T).unflatten(-1, (n_kv_heads, C)))
    q, k = layer.position.rotate(q, k, context)
    values = (x @ layer.v_proj.weight.T).unflatten(-1, (n_kv_heads // 2, 2 * C))
    bias = layer.position.bias(context, context.positions)
    future = torch.ones(13, 13, dtype=torch.bool).triu(1)
    a, b = layer.lambda_q1 @ layer.lambda_k1, layer.lambda_q2 @ layer.lambda_k2
    start = 0.8 - 0.6 * math.exp(-0.3)  # of the second layer
    weight = a.exp() - b.exp() + start

    def attention_map(head, kv_head):
        scores = q[:, :, head] @ k[:, :, kv_head].mT / C**0.5
        scores = scores if bias is None else scores + bias[:, head]
        return scores.masked_fill(future, float("-inf")).softmax(-1)

    mixed = []
    for pair in range(H // 2):
        source = pair * n_kv_heads // H
        signal = attention_map(2 * pair, 2 * source)
        noise = attention_map(2 * pair + 1, 2 * source + 1)
        mixed.append(layer.pair_norm((signal - weight * noise) @ values[:, :, source]))
    expected = (1 - start) * torch.cat(mixed, -1) @ layer.o_proj.weight.T
    # lambda and norms are computed in fp32
    torch.testing.assert_close(layer(x, context), expected, rtol=1e-5, atol=1e-5)


def test_lambda_starts_as_the_layer_says_and_moves_when_trained():
    model = Subject("attention", "differential").model()
    model.load_state_dict(type(model)(model.spec).initialize(0).state_dict())
    for block, expected in zip(model.blocks, [0.2, 0.8 - 0.6 * math.exp(-0.3)], strict=True):
        weight = block.attention._lambda()
        assert float(weight.detach()) == pytest.approx(expected, abs=1e-6)
        grads = torch.autograd.grad(weight, [block.attention.lambda_q1, block.attention.lambda_k2])
        assert all(grad.abs().min() > 0.05 for grad in grads)


def test_projections_and_cache_have_the_sizes_of_grouped_queries():
    ours, theirs = (
        Subject("attention", name, {"n_kv_heads": 2}).model() for name in ("differential", "gqa")
    )
    shapes = [
        {n: p.shape for n, p in model.named_parameters() if "_proj" in n}
        for model in (ours, theirs)
    ]
    assert shapes[0] == shapes[1]
    caches = [model.new_caches(2, 10)[0] for model in (ours, theirs)]
    assert caches[0].nbytes == caches[1].nbytes


@pytest.mark.parametrize(
    ("n_heads", "options", "message"),
    [
        (3, {}, "n_heads and n_kv_heads must be even, but are 3 and 3"),
        (4, {"n_kv_heads": 3}, "n_heads and n_kv_heads must be even, but are 4 and 3"),
        (6, {"n_kv_heads": 4}, r"n_heads \(6\) must be a multiple of n_kv_heads \(4\)"),
    ],
)
def test_heads_that_form_no_pairs_are_refused(n_heads, options, message):
    subject = Subject("attention", "differential", options)
    with pytest.raises(ConfigError, match=message):
        subject.model(n_heads=n_heads)


@pytest.mark.parametrize(("n_heads", "expected"), [(2, 2), (4, 2), (6, 6), (8, 4)])
def test_key_value_heads_left_out_are_half_where_that_makes_pairs(n_heads, expected):
    spec = Subject("attention", "differential").spec(n_heads=n_heads)
    assert spec.layer("attention", 0).options["n_kv_heads"] == expected
    assert VariantSpec.read(spec.to_dict()) == spec
