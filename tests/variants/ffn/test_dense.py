"""The dense feed-forwards: each its formula, its parameters and where it drops."""

import pytest
import torch
import torch.nn.functional as F

from harness.contracts.subject import Subject
from harness.core.cost import measure_cost

GATED = {
    "swiglu": lambda x: x * x.sigmoid(),
    "geglu": lambda x: x * torch.special.ndtr(x),
    "reglu": lambda x: x.clamp(min=0),
    "sigmoid_glu": lambda x: 1 / (1 + (-x).exp()),
}
PLAIN = {
    "gelu": lambda x: x * torch.special.ndtr(x),
    "relu": lambda x: x.clamp(min=0),
    "relu_squared": lambda x: x.clamp(min=0) ** 2,
}


@pytest.mark.parametrize("name", GATED)
@torch.no_grad()
def test_a_gate_is_activated_and_multiplied_with_what_goes_up(build, apply, x, name):
    ffn, x = build(name), 4 * x
    weights = {n.removesuffix("_proj.weight"): w for n, w in ffn.named_parameters()}
    assert weights.keys() == {"gate", "up", "down"}
    hidden = GATED[name](x @ weights["gate"].T) * (x @ weights["up"].T)
    torch.testing.assert_close(apply(ffn, x), hidden @ weights["down"].T, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", PLAIN)
@torch.no_grad()
def test_without_a_gate_what_goes_up_is_activated(build, apply, x, name):
    ffn, x = build(name), 4 * x
    weights = {n.removesuffix("_proj.weight"): w for n, w in ffn.named_parameters()}
    assert weights.keys() == {"up", "down"}
    hidden = PLAIN[name](x @ weights["up"].T)
    torch.testing.assert_close(apply(ffn, x), hidden @ weights["down"].T, rtol=1e-5, atol=1e-4)


@pytest.mark.row("R0-16")
@pytest.mark.parametrize("name", [*GATED, *PLAIN])
def test_a_gate_costs_a_third_matrix(name):
    d_model, d_ff, n_layers = 32, 48, 2
    params = {n: measure_cost(Subject("ffn", n).spec(), 13).params for n in (name, "relu")}
    matrices = 3 if name in GATED else 2
    assert params[name] - params["relu"] == (matrices - 2) * d_model * d_ff * n_layers


@pytest.mark.parametrize("name", [*GATED, *PLAIN])
def test_hidden_channels_are_dropped_before_they_go_down(build, apply, x, name):
    ffn, reached = build(name), []
    ffn.down_proj.register_forward_hook(lambda module, inputs, out: reached.append(inputs[0]))
    apply(ffn, x)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        apply(ffn, x, dropout=0.25)
        torch.manual_seed(0)
        expected = F.dropout(reached[0], 0.25)
    assert torch.equal(reached[1], expected)
    assert 0.15 < (expected == 0).float().mean() - (reached[0] == 0).float().mean() * 0.75 < 0.35
