"""Rotary positions of neighbouring channels, against complex numbers and against `rope`."""

import pytest
import torch

from harness.core.context import Context
from variants.position._rotation import angles, rates


def phases(length, width, theta=1e4):
    """Return `exp(i m theta ** (-2j / width))` for position m and pair j."""
    pairs = torch.arange(width // 2, dtype=torch.float64)
    turned = torch.arange(length)[:, None] * theta ** (-2 * pairs / width)
    return torch.polar(torch.ones_like(turned), turned)


@pytest.mark.row("R3-02")
def test_the_rates_are_those_of_the_complex_phases():
    context = Context(torch.arange(2048)[None])
    turned = angles(context, rates(1e4, 64, torch.device("cpu")))[0, :, 0]
    ours = torch.polar(torch.ones_like(turned), turned)
    assert ours.shape == (2048, 32) and ours.dtype == torch.complex64
    assert torch.equal(ours[0], torch.ones(32, dtype=torch.complex64))
    torch.testing.assert_close(ours.abs(), torch.ones(2048, 32), rtol=0, atol=1e-6)
    # positions of thousands leave about 2048 * 2**-24 of an angle in fp32
    torch.testing.assert_close(ours.to(torch.complex128), phases(2048, 64), rtol=0, atol=3e-4)


@pytest.mark.row("R3-02", "R3-04")
def test_neighbours_turn_as_complex_numbers_do(build, rotated, q):
    theirs = torch.view_as_complex(q.double().unflatten(-1, (-1, 2))) * phases(40, 16)[:, None]
    ours = rotated(build("rope_interleaved", 16), q)
    torch.testing.assert_close(ours.double(), torch.view_as_real(theirs).flatten(-2),
                               rtol=1e-5, atol=1e-5)  # fmt: skip


@pytest.mark.row("R3-03")
def test_angles_stand_beside_the_heads_and_other_widths_are_refused(build, rotated, q):
    context = Context(torch.arange(9)[None])
    assert angles(context, rates(1e4, 16, torch.device("cpu"))).shape == (1, 9, 1, 8)
    with pytest.raises(RuntimeError, match="must match the size"):
        rotated(build("rope_interleaved", 8), q)


@pytest.mark.row("R3-04")
def test_the_first_channel_at_position_one_turns_into_its_neighbour(build, rotated):
    x = torch.tensor([1.0, 0, 0, 0]).expand(1, 2, 1, 4)
    at_0, at_1 = rotated(build("rope_interleaved", 4), x)[0, :, 0]
    assert torch.equal(at_0, x[0, 0, 0])
    torch.testing.assert_close(at_1, torch.tensor([0.540302, 0.841471, 0, 0]))


@pytest.mark.row("R3-04")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shapes_and_types_stay(build, dtype):
    q, k = torch.ones(4, 512, 16, 64, dtype=dtype), torch.ones(4, 512, 4, 64, dtype=dtype)
    context = Context(torch.arange(512).expand(4, 512))
    for given, turned in zip((q, k), build("rope_interleaved", 64).rotate(q, k, context),
                             strict=True):  # fmt: skip
        assert turned.shape == given.shape and turned.dtype == dtype


@pytest.mark.row("R3-05")
def test_scores_equal_those_of_the_half_split_layout_with_permuted_channels(build, rotated, q):
    permuted = torch.cat((q[..., ::2], q[..., 1::2]), dim=-1)
    neighbours = rotated(build("rope_interleaved", 16, theta=1e4), q)
    halves = rotated(build("rope", 16, theta=1e4), permuted)
    scores = [torch.einsum("bthc,bshc->bhts", x, x) for x in (neighbours, halves)]
    torch.testing.assert_close(*scores, rtol=1e-5, atol=1e-5)
