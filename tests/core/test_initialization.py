"""Initial weights are drawn by address, and are as normal as any others."""

import pytest
import torch

from harness.core.initialization import addressed_normal
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec

WRITTEN = {
    "d_model": 128, "n_layers": 2, "n_heads": 4, "d_ff": 352, "vocab_size": 256, "max_seq_len": 32,
}  # fmt: skip
SHAPE = torch.Size((400, 500))


def model(seed=0, **changes):
    return LanguageModel(VariantSpec.read({**WRITTEN, **changes})).initialize(seed)


@pytest.fixture(scope="module")
def draw():
    return addressed_normal(0, "blocks.0.ffn.up_proj.weight", SHAPE).double()


def test_numbers_have_the_moments_of_a_normal_distribution(draw):
    n = draw.numel()
    assert abs(draw.mean()) < 4 * n**-0.5
    assert abs(draw.std() - 1) < 4 * (2 * n) ** -0.5
    assert abs((draw**3).mean()) < 4 * (15 / n) ** 0.5
    assert abs((draw**4).mean() - 3) < 4 * (96 / n) ** 0.5
    assert 3.9 < draw.abs().max() < 6.5 and draw.unique().numel() > 0.98 * n


def test_numbers_are_spread_as_a_normal_distribution(draw):
    """Kolmogorov-Smirnov, at one in ten thousand."""
    levels = torch.special.ndtr(draw.flatten().sort().values)
    steps = (torch.arange(len(levels)) + 0.5) / len(levels)
    assert (levels - steps).abs().max() * len(levels) ** 0.5 < 2.2


@pytest.mark.parametrize("axis", [0, 1], ids=["columns", "rows"])
def test_rows_and_columns_are_not_correlated(draw, axis):
    x = draw if axis else draw.T
    correlations = torch.corrcoef(x)
    off_diagonal = correlations[~torch.eye(len(x), dtype=torch.bool)]
    assert off_diagonal.abs().max() < 6 * x.shape[1] ** -0.5
    assert abs(off_diagonal.std() * x.shape[1] ** 0.5 - 1) < 0.05
    for lag in (1, 2, 3):
        assert abs((x[:, lag:] * x[:, :-lag]).mean()) < 4 * draw.numel() ** -0.5


def test_names_and_seeds_do_not_share_numbers(draw):
    for seed, name in [(1, "blocks.0.ffn.up_proj.weight"), (0, "blocks.1.ffn.up_proj.weight")]:
        other = addressed_normal(seed, name, SHAPE).double()
        assert abs((draw * other).mean()) < 4 * draw.numel() ** -0.5


def test_a_number_is_a_function_of_its_address_alone(draw):
    part = addressed_normal(0, "blocks.0.ffn.up_proj.weight", torch.Size((7, 900)))
    assert torch.equal(part[:, :500].double(), draw[:7])
    cube = addressed_normal(0, "experts", torch.Size((3, 4, 5)))
    assert torch.equal(cube[:2, :2, :3], addressed_normal(0, "experts", torch.Size((2, 2, 3))))
    assert cube.unique().numel() == cube.numel()


def test_values_are_the_same_on_every_machine_and_in_every_version():
    """Stored results are paired by these: a change of them orphans every stored run."""
    found = addressed_normal(0, "head.weight", torch.Size((2, 2)))
    expected = torch.tensor([[1.539228916, -0.678566098], [-0.511105955, 0.137900949]])
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("std", [0.02, 0.3])
def test_matrices_have_the_deviation_asked_for_and_vectors_stay_as_built(std):
    for name, parameter in model(init={"std": std}).named_parameters():
        if parameter.ndim >= 2:
            assert float(parameter.detach().std()) == pytest.approx(std, rel=0.02), name
        else:
            assert torch.equal(parameter, torch.ones_like(parameter)), name


@pytest.mark.parametrize("block", ["pre_norm", "post_norm"])
def test_residual_outputs_start_at_zero_or_scaled_by_depth(block):
    plain = dict(model(block=block).named_parameters())
    zero = dict(model(block=block, init={"outputs": "zero"}).named_parameters())
    scaled = dict(model(block=block, init={"outputs": "depth_scaled"}).named_parameters())
    outputs = {name for name in plain if name.endswith(("o_proj.weight", "down_proj.weight"))}
    assert len(outputs) == 4
    for name, parameter in plain.items():
        if name in outputs:
            assert not zero[name].any()
            torch.testing.assert_close(scaled[name], parameter / 2)  # sqrt(2 * 2 layers)
        else:
            assert torch.equal(zero[name], parameter) and torch.equal(scaled[name], parameter)


def test_arms_share_the_initial_value_of_what_they_share():
    gqa, mqa = (dict(model(attention=a).named_parameters()) for a in ("gqa", "mqa"))
    wider = dict(model(attention="gqa", d_ff=408).named_parameters())
    assert gqa.keys() == mqa.keys() == wider.keys()
    for name, parameter in gqa.items():
        for other in (mqa[name], wider[name]):
            common = tuple(
                slice(min(a, b)) for a, b in zip(parameter.shape, other.shape, strict=True)
            )
            assert torch.equal(parameter[common], other[common]), name
