"""Rotary positions on a share of the channels, against `rope` and against transformers."""

import pytest
import torch

from harness.errors import ConfigError

qwen3_next = pytest.importorskip("transformers.models.qwen3_next.modeling_qwen3_next")


def test_a_share_of_one_is_rope_to_the_bit(build, rotated, q):
    whole = rotated(build("rope", 16, theta=1e4), q)
    assert torch.equal(rotated(build("partial_rope", 16, share=1.0), q), whole)


def test_the_first_channels_turn_as_a_narrow_head_and_the_others_stay(build, rotated, q):
    out = rotated(build("partial_rope", 16, share=0.5), q)
    assert torch.equal(out[..., 8:], q[..., 8:])
    assert torch.equal(out[..., :8], rotated(build("rope", 8, theta=1e4), q[..., :8]))
    assert not torch.equal(out[..., :8], q[..., :8])


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_it_equals_the_reference(build, rotated, q, share):
    config = qwen3_next.Qwen3NextConfig(
        head_dim=16,
        rope_parameters={
            "rope_theta": 1e7, "rope_type": "default", "partial_rotary_factor": share
        },
    )  # fmt: skip
    cos, sin = qwen3_next.Qwen3NextRotaryEmbedding(config)(q, torch.arange(40).expand(2, 40))
    theirs, _ = qwen3_next.apply_rotary_pos_emb(q, q, cos, sin, unsqueeze_dim=2)
    ours = rotated(build("partial_rope", 16, share=share, theta=1e7), q)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("share", "width", "turned"), [(0.25, 12, 3), (0.01, 16, 0)])
def test_a_share_without_pairs_is_refused(build, share, width, turned):
    with pytest.raises(ConfigError, match=rf"share of {share} of {width} channels is {turned},"):
        build("partial_rope", width, share=share)


def test_a_share_that_floats_cannot_hold_means_what_it_says(build):
    assert build("partial_rope", 200, share=0.29).n_turned == 58  # 0.29 * 200 is 57.99... in fp64
