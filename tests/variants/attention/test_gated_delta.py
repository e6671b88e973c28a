"""Gated DeltaNet against its recurrence, token by token, and against Qwen3-Next's functions."""

import pytest
import torch
import torch.nn.functional as F

from harness.contracts.check import contracts_of
from harness.contracts.subject import Subject
from harness.core.context import Context
from harness.core.cost import measure_cost
from harness.core.flops import FlopCounter
from harness.errors import ConfigError
from variants.attention.gated_delta import GatedDeltaNet, delta_rule

B, T, H, C, W = 2, 13, 4, 8, 5
SMALL_CHUNKS = Subject("attention", "gated_delta", {"chunk": 4})


@pytest.mark.parametrize("contract", contracts_of(SMALL_CHUNKS), ids=lambda c: c.__name__)
def test_small_chunks_keep_every_contract(contract):
    contract(SMALL_CHUNKS)


@pytest.fixture
def given():
    """What the rule takes, in fp64, with a state to go on from."""
    generator = torch.Generator().manual_seed(4)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        "q": normal(B, T, H, C),
        "k": F.normalize(normal(B, T, H, C), dim=-1),
        "v": normal(B, T, H, W),
        "log_decay": -normal(B, T, H).exp(),
        "strength": normal(B, T, H).sigmoid(),
        "starts": None,
        "state": normal(B, H, C, W),
    }


STARTS = torch.zeros(B, T, dtype=torch.bool)
STARTS[0, [4, 5, 11]] = STARTS[1, [1, 8]] = True  # on and off the edges of chunks of four


def token_by_token(q, k, v, log_decay, strength, starts, state):
    """Return what the rule should, from its definition."""
    outputs = []
    for t in range(q.shape[1]):
        if starts is not None:
            state = state * ~starts[:, t, None, None, None]
        state = state * log_decay[:, t].exp()[..., None, None]
        found = torch.einsum("bhcw,bhc->bhw", state, k[:, t])
        change = strength[:, t, :, None] * (v[:, t] - found)
        state = state + torch.einsum("bhc,bhw->bhcw", k[:, t], change)
        outputs.append(torch.einsum("bhcw,bhc->bhw", state, q[:, t]))
    return torch.stack(outputs, dim=1), state


@pytest.mark.parametrize("starts", [None, STARTS], ids=["one document", "documents"])
@pytest.mark.parametrize("chunk", [1, 2, 4, 13, 64])
def test_every_chunk_size_equals_the_recurrence(chunk, starts, given):
    given["starts"] = starts
    torch.testing.assert_close(delta_rule(**given, chunk=chunk), token_by_token(**given))


def test_one_token_after_the_other_equals_all_at_once(given):
    together, last = delta_rule(**given, chunk=4)
    state, outputs = given.pop("state"), []
    del given["starts"]
    for t in range(T):
        now = {name: tensor[:, t : t + 1] for name, tensor in given.items()}
        out, state = delta_rule(**now, starts=None, state=state, chunk=4)
        outputs.append(out)
    torch.testing.assert_close((torch.cat(outputs, dim=1), state), (together, last))


@pytest.mark.parametrize("n_tokens", [1, 130, 192])
@pytest.mark.parametrize(
    "name", ["torch_chunk_gated_delta_rule", "torch_recurrent_gated_delta_rule"]
)
def test_equals_the_functions_of_qwen3_next(name, n_tokens):
    from transformers.models.qwen3_next import modeling_qwen3_next

    generator = torch.Generator().manual_seed(5)
    q, k, v = (torch.randn(B, n_tokens, H, C, generator=generator) for _ in range(3))
    k = F.normalize(k, dim=-1)
    log_decay = -torch.randn(B, n_tokens, H, generator=generator).exp()
    strength = torch.rand(B, n_tokens, H, generator=generator)
    state = torch.randn(B, H, C, C, generator=generator)
    theirs = getattr(modeling_qwen3_next, name)(
        q, k, v, log_decay, strength, initial_state=state, output_final_state=True
    )
    ours = delta_rule(q * C**-0.5, k, v, log_decay, strength, None, state, chunk=64)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("starts", [None, STARTS[:1]], ids=["one document", "documents"])
def test_gradients_are_those_of_the_recurrence(starts, given):
    names = ["q", "k", "v", "log_decay", "strength", "state"]
    given = {n: given[n][:1].clone().requires_grad_() for n in names} | {"starts": starts}
    generator = torch.Generator().manual_seed(6)
    way = torch.randn(1, T, H, W, generator=generator, dtype=torch.float64)
    grads = []
    for out, state in (delta_rule(**given, chunk=4), token_by_token(**given)):
        loss = (out * way).sum() + state.square().sum()
        grads.append(torch.autograd.grad(loss, [given[n] for n in names]))
    torch.testing.assert_close(*grads)


def test_decays_beyond_what_fp32_holds_stay_finite(given):
    given = {n: t if t is None else t.float().requires_grad_() for n, t in given.items()}
    given["log_decay"] = torch.full((B, T, H), -60.0, requires_grad=True)
    out, state = delta_rule(**given, chunk=64)
    (out.sum() + state.sum()).backward()
    assert out.isfinite().all() and state.isfinite().all()
    assert all(t is None or t.grad.isfinite().all() for t in given.values())


def test_the_layer_is_what_the_paper_draws(build, x, context):
    layer = build("gated_delta", chunk=4)

    def convolved(projection, third):
        y = x @ projection.weight.T
        taps = layer.conv.weight.chunk(3)[third]
        past = F.pad(y, (0, 0, 3, 0))
        y = y + sum(taps[:, back] * past[:, 3 - back : 16 - back] for back in range(4))
        return F.silu(y).unflatten(-1, (H, C))

    projections = (layer.q_proj, layer.k_proj, layer.v_proj)
    q, k, v = (convolved(p, third) for third, p in enumerate(projections))
    steps = F.softplus(x @ layer.a_proj.weight.T + layer.dt_bias)
    log_decay = -layer.A_log.exp() * steps
    strength = torch.sigmoid(x @ layer.b_proj.weight.T)
    q, k = (F.normalize(t, dim=-1) for t in (q, k))
    nothing = torch.zeros(B, H, C, C, dtype=torch.float64)
    out, _ = token_by_token(q * C**-0.5, k, v, log_decay, strength, None, nothing)
    gate = F.silu(x @ layer.g_proj.weight.T)
    expected = (layer.o_norm(out).flatten(2) * gate) @ layer.o_proj.weight.T
    # lengths are one up to an epsilon, and norms compute in fp32
    torch.testing.assert_close(layer(x, context), expected, rtol=1e-3, atol=1e-4)


def test_heads_start_with_memories_from_a_thousand_tokens_to_one():
    dims = Subject("attention", "gated_delta").spec().dims
    fresh = GatedDeltaNet(dims, 0, lambda _: None, torch.nn.LayerNorm)
    memories = 1 / (fresh.A_log.exp() * F.softplus(fresh.dt_bias)).detach()
    assert memories.sort(descending=True).values.equal(memories)
    torch.testing.assert_close(memories[[0, -1]], torch.tensor([1000, 1 / 1.6]))


def test_the_triangular_systems_are_counted():
    with FlopCounter() as counter, torch.device("meta"):
        torch.linalg.solve_triangular(
            torch.empty(3, 2, 8, 8), torch.empty(3, 2, 8, 5), upper=False, unitriangular=True
        )
    assert counter.get_total_flops() == 3 * 2 * 8 * 8 * 5


def test_cost_and_state_do_not_grow_with_the_length():
    spec = Subject("attention", "gated_delta").spec(max_seq_len=4096)
    short, long = measure_cost(spec, 128), measure_cost(spec, 4096)
    assert long.forward_flops_per_token == short.forward_flops_per_token
    assert long.cache_bytes == short.cache_bytes == 2 * (H * C * C * 4 + 3 * 3 * H * C * 2)


def test_the_position_component_is_not_used(build, x, context):
    plain, turned = (build("gated_delta", position=p)(x, context) for p in ("none", "rope"))
    assert torch.equal(plain, turned)
    with pytest.raises(ConfigError, match="it excludes 'attention_bias'"):
        Subject("attention", "gated_delta").spec(position="alibi")


def test_padding_after_the_tokens_keeps_state_and_inputs(build, x):
    layer = build("gated_delta", chunk=4)
    padded, exact = (layer.new_cache(2, 20, x.device, x.dtype) for _ in range(2))
    positions = torch.arange(13).expand(2, 13)
    valid = torch.ones(2, 13, dtype=torch.bool)
    valid[:, 9:] = False
    layer(x, Context(positions, valid=valid, caches=[padded, padded]))
    layer(x[:, :9], Context(positions[:, :9], caches=[exact, exact]))
    torch.testing.assert_close(padded.buffers, exact.buffers)
    assert padded.lengths.tolist() == [9, 9]
