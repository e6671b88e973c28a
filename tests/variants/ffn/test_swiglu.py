"""SwiGLU: a SiLU gate, the reference's numbers, and no biases."""

import pytest
import torch

from harness.contracts.subject import Subject

qwen3 = pytest.importorskip("transformers.models.qwen3.modeling_qwen3")


@torch.no_grad()
def with_unit_matrices(ffn):
    for parameter in ffn.parameters():
        parameter.copy_(torch.eye(len(parameter)))
    return ffn


@pytest.mark.row("R0-15")
@pytest.mark.parametrize(("x", "y"), [(2.0, 3.523188), (-1.0, 0.268941), (0.0, 0.0)])
def test_with_unit_matrices_it_is_silu_times_its_input(build, apply, x, y):
    ffn = with_unit_matrices(build("swiglu", 4, 4))
    torch.testing.assert_close(apply(ffn, torch.full((1, 1, 4), x)), torch.full((1, 1, 4), y))


@pytest.mark.row("R1-08")
def test_it_equals_the_reference(build, apply, x):
    ffn = build("swiglu")
    config = qwen3.Qwen3Config(hidden_size=32, intermediate_size=48)
    theirs = qwen3.Qwen3MLP(config)
    theirs.load_state_dict(ffn.state_dict())
    torch.testing.assert_close(apply(ffn, x), theirs(x), rtol=1e-6, atol=1e-6)


@pytest.mark.row("R1-08")
def test_the_baseline_has_no_bias_anywhere():
    names = [name for name, _ in Subject("ffn", "swiglu").model().named_parameters()]
    assert len(names) > 20
    assert not [name for name in names if "bias" in name]


@pytest.mark.row("R2-12", "R3-12")
@torch.no_grad()
def test_each_matrix_has_its_own_role(build, apply, x):
    """w1 is the gate, w3 goes up and w2 down; other projects say fc1, fc2 and fc3."""
    ffn = build("swiglu")
    w1, w3, w2 = ffn.gate_proj.weight, ffn.up_proj.weight, ffn.down_proj.weight
    expected = (torch.nn.functional.silu(x @ w1.T) * (x @ w3.T)) @ w2.T
    swapped = (torch.nn.functional.silu(x @ w3.T) * (x @ w1.T)) @ w2.T
    torch.testing.assert_close(apply(ffn, x), expected, rtol=1e-5, atol=1e-5)
    assert (apply(ffn, x) - swapped).abs().max() > 0.1
