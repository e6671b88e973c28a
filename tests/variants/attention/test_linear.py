"""Linear attention against the quadratic form, over chunks, documents and any number of tokens."""

import pytest
import torch

from harness.contracts.check import contracts_of
from harness.contracts.subject import Subject
from harness.core.context import Context
from harness.core.cost import measure_cost
from harness.errors import ConfigError
from variants.attention.linear import EPS

H, C = 4, 8

SUBJECTS = [
    Subject("attention", "linear", {"chunk": 4}),
    Subject("attention", "linear", {"chunk": 1, "feature_map": "relu"}, {"position": "none"}),
]


@pytest.mark.parametrize(
    ("subject", "contract"),
    [(s, c) for s in SUBJECTS for c in contracts_of(s)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_small_chunks_keep_every_contract(subject, contract):
    contract(subject)


FEATURES = {"elu": lambda t: torch.where(t > 0, t + 1, t.exp()), "relu": lambda t: t.relu() + 1e-3}


def quadratic(layer, x, context, allowed, feature=FEATURES["elu"]):
    """Return what the layer should, with all pairs of tokens at once."""
    q, k = (feature((x @ p.weight.T).unflatten(-1, (H, C))) for p in (layer.q_proj, layer.k_proj))
    v = (x @ layer.v_proj.weight.T).unflatten(-1, (H, C))
    turned_q, turned_k = layer.position.rotate(q, k, context)
    weights = torch.einsum("bihc,bjhc->bhij", turned_q, turned_k) * allowed
    sums = (torch.einsum("bihc,bjhc->bhij", q, k) * allowed).sum(-1)
    mixed = torch.einsum("bhij,bjhc->bihc", weights, v) / (sums.mT[..., None] + EPS)
    return mixed.flatten(2) @ layer.o_proj.weight.T


@pytest.mark.parametrize("chunk", [1, 3, 4, 13, 64])
@pytest.mark.parametrize("position", ["none", "rope"])
@pytest.mark.parametrize("feature_map", ["elu", "relu"])
def test_every_chunk_size_equals_the_quadratic_form(
    feature_map, position, chunk, build, x, context
):
    layer = build("linear", position=position, feature_map=feature_map, chunk=chunk)
    expected = quadratic(layer, x, context, torch.ones(13, 13).tril(), FEATURES[feature_map])
    torch.testing.assert_close(layer(x, context), expected)


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_documents_within_and_across_chunks_are_summed_alone(chunk, build, x):
    layer = build("linear", position="rope", chunk=chunk)
    documents = torch.tensor([[0] * 2 + [1] + [2] * 6 + [3] * 4, [7] * 8 + [1] * 5])
    context = Context(torch.arange(13).expand(2, 13), documents=documents)
    together = documents[:, None, :, None] == documents[:, None, None, :]
    expected = quadratic(layer, x, context, torch.ones(13, 13).tril() * together)
    torch.testing.assert_close(layer(x, context), expected)


def test_every_chunk_size_has_the_same_gradients(build, x, context):
    found = []
    for chunk in (1, 4, 64):
        layer = build("linear", chunk=chunk)
        layer(x, context).square().sum().backward()
        found.append({name: p.grad for name, p in layer.named_parameters()})
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])


@pytest.mark.parametrize("feature_map", ["elu", "relu"])
def test_features_that_vanish_give_finite_outputs_and_gradients(feature_map, build, x, context):
    layer = build("linear", feature_map=feature_map).float()
    with torch.no_grad():
        layer.q_proj.weight.fill_(-10)
        layer.k_proj.weight.fill_(-10)
    out = layer(x.float().abs(), context)
    out.sum().backward()
    assert out.isfinite().all()
    assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_cost_and_state_do_not_grow_with_the_length():
    spec = Subject("attention", "linear").spec(max_seq_len=4096)
    short, long = measure_cost(spec, 128), measure_cost(spec, 4096)
    assert long.forward_flops_per_token == short.forward_flops_per_token
    assert long.cache_bytes == short.cache_bytes == 2 * H * C * (C + 1) * 4


def test_biases_on_scores_are_refused():
    with pytest.raises(ConfigError, match="it excludes 'attention_bias'"):
        Subject("attention", "linear").spec(position="alibi")
