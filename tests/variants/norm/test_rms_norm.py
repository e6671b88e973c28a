"""RMS normalisation: the formula, torch's own, and where bf16 rounds."""

import pytest
import torch

from harness.contracts.subject import Subject
from variants.norm.rms_norm import RMSNorm


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def scaled(norm, seed=1):
    """Move a norm's weight, and its bias, away from where they start."""
    for i, parameter in enumerate(norm.parameters()):
        parameter.copy_(normal(*parameter.shape, seed=seed + i))
    return norm


@pytest.mark.row("R0-05")
def test_the_root_of_the_mean_square_becomes_one():
    y = RMSNorm(4)(torch.tensor([1.0, 2, 3, 4]))
    torch.testing.assert_close(y, torch.tensor([0.36514835, 0.73029669, 1.09544504, 1.46059339]))


@pytest.mark.row("R0-05")
def test_the_mean_stays_and_the_size_does_not_count():
    norm, x = scaled(RMSNorm(12)), normal(5, 12)
    assert (norm(x + 3) - norm(x)).abs().max() > 0.1
    for a in (0.5, 7.0, 1e3):
        torch.testing.assert_close(norm(a * x), norm(x), rtol=1e-5, atol=1e-5)


@pytest.mark.row("R0-06")
@torch.no_grad()
def test_a_weight_of_two_doubles_the_output():
    norm, x = RMSNorm(12), normal(5, 12)
    before = norm(x)
    norm.weight *= 2
    assert torch.equal(norm(x), 2 * before)


@pytest.mark.row("R1-07", "R2-24")
def test_it_starts_with_a_weight_of_ones_an_eps_of_1e_6_and_no_bias():
    norm = RMSNorm(12)
    assert {name: p.tolist() for name, p in norm.named_parameters()} == {"weight": [1.0] * 12}
    assert norm.eps == 1e-6
    model = Subject("norm", "rms_norm").model()
    assert model.norm.weight.shape == (32,)


@pytest.mark.row("R3-01")
@pytest.mark.parametrize("eps", [1e-5, 1e-6])
def test_it_equals_torchs_own(eps):
    norm, theirs = scaled(RMSNorm(512, eps=eps)), torch.nn.RMSNorm(512, eps=eps)
    theirs.load_state_dict(norm.state_dict())
    x = 0.01 * normal(32, 128, 512)  # a mean square of 1e-4, so that eps counts
    assert norm.eps == eps and norm(x).shape == x.shape
    torch.testing.assert_close(norm(x), theirs(x), rtol=1e-6, atol=1e-6)


@pytest.mark.row("R2-24")
def test_a_bias_starts_at_zero_and_is_added_last():
    norm, x = RMSNorm(12, bias=True), normal(5, 12)
    assert norm.bias.tolist() == [0.0] * 12
    assert torch.equal(norm(x), RMSNorm(12)(x))
    scaled(norm)
    bare = RMSNorm(12)
    bare.weight = norm.weight
    assert torch.equal(norm(x), bare(x) + norm.bias)


@pytest.mark.row("R2-24")
@pytest.mark.parametrize("cast", ["before_weight", "after_weight"])
def test_large_numbers_in_bf16_stay_within_a_last_place_of_fp32(cast):
    norm = RMSNorm(64, cast=cast).to(torch.bfloat16)
    x = (1e3 * normal(200, 64)).to(torch.bfloat16)
    out, exact = norm(x), norm.float()(x.float())
    assert out.dtype == torch.bfloat16 and out.isfinite().all()
    last_place = torch.exp2(exact.abs().log2().floor() - 7)
    assert ((out.float() - exact).abs() <= last_place).all()


@pytest.mark.row("R2-24")
def test_casting_after_the_weight_rounds_once_and_before_it_twice():
    x, weight = normal(200, 64).to(torch.bfloat16), normal(64, seed=1).to(torch.bfloat16)
    outs = {}
    for cast in ("before_weight", "after_weight"):
        norm = RMSNorm(64, cast=cast).to(torch.bfloat16)
        norm.weight.data = weight
        outs[cast] = norm(x)
    y = x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-6)
    assert torch.equal(outs["after_weight"], (weight.float() * y).to(torch.bfloat16))
    assert torch.equal(outs["before_weight"], weight * y.to(torch.bfloat16))
    assert not torch.equal(outs["after_weight"], outs["before_weight"])


def test_in_fp32_the_order_of_cast_and_weight_is_all_the_same():
    x = normal(5, 12)
    before, after = (scaled(RMSNorm(12, cast=c)) for c in ("before_weight", "after_weight"))
    assert torch.equal(before(x), after(x))
