"""YaRN: transformers' cos and sin with their attention scaling."""

import math

import pytest
import torch

from harness.core.context import Context
from harness.errors import ConfigError

transformers = pytest.importorskip("transformers")
utils = pytest.importorskip("transformers.modeling_rope_utils")

CASES = {
    "qwen3": {"theta": 1e6, "factor": 4.0, "original_max_seq_len": 32_768},
    "short": {"theta": 1e4, "factor": 8.0, "original_max_seq_len": 256},
    "narrow ramp": {"theta": 1e4, "factor": 2.0, "original_max_seq_len": 64,
                    "beta_fast": 2.0, "beta_slow": 1.5},
    "attention": {"theta": 1e4, "factor": 4.0, "original_max_seq_len": 128,
                  "attention_factor": 0.7},
}  # fmt: skip


@pytest.mark.parametrize("width", [16, 64])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_tables_equal_those_of_the_reference(build, options, width):
    told = {
        "rope_type": "yarn",
        "rope_theta": options["theta"],
        "original_max_position_embeddings": options["original_max_seq_len"],
        **{k: v for k, v in options.items() if k not in ("theta", "original_max_seq_len")},
    }
    length = options["original_max_seq_len"] * int(options["factor"])
    config = transformers.Qwen3Config(
        head_dim=width, max_position_embeddings=length, rope_parameters=told
    )
    rates, scale = utils.ROPE_INIT_FUNCTIONS["yarn"](config, torch.device("cpu"))
    positions = torch.tensor([0, 1, 2, 17, 100, 255])
    theirs = positions[:, None] * rates
    # a one beside a zero in each pair turns into what the tables hold
    probe = torch.cat((torch.ones(width // 2), torch.zeros(width // 2))).expand(1, 6, 1, width)
    turned, _ = build("yarn", width, **options).rotate(probe, probe, Context(positions[None]))
    expected = torch.cat((theirs.cos(), theirs.sin()), dim=-1) * scale
    torch.testing.assert_close(turned[0, :, 0], expected, rtol=0, atol=5e-5)


def test_fast_pairs_are_left_and_slow_pairs_slowed_in_full(build, rotated):
    yarn = build("yarn", 64, theta=1e4, factor=4.0, original_max_seq_len=1024)
    probe = torch.cat((torch.ones(32), torch.zeros(32))).expand(1, 1, 1, 64)
    cos, sin = rotated(yarn, probe, torch.tensor([[1]])).flatten().chunk(2)
    slowed = 1e4 ** (-torch.arange(0, 64, 2) / 64) / torch.atan2(sin, cos)
    torch.testing.assert_close(slowed[0], torch.tensor(1.0))
    torch.testing.assert_close(slowed[-1], torch.tensor(4.0))
    assert (slowed.diff() >= -1e-5).all() and ((slowed > 1.1) & (slowed < 3.9)).any()


def test_a_factor_of_one_is_rope(build, rotated, q):
    stretched = rotated(build("yarn", 16, theta=1e4, factor=1.0), q)
    torch.testing.assert_close(stretched, rotated(build("rope", 16, theta=1e4), q))


def test_scores_grow_by_the_square_of_the_attention_factor(build, rotated, q):
    yarn = build("yarn", 16, theta=1e4, factor=4.0)
    grown = rotated(yarn, q).norm(dim=-1) / q.norm(dim=-1)
    torch.testing.assert_close(grown, torch.full_like(grown, 0.1 * math.log(4) + 1))


def test_the_original_length_left_out_is_the_longest_over_the_factor(build):
    assert build("yarn", 16, max_seq_len=64, factor=4.0).original == 16
    assert build("yarn", 16, max_seq_len=64, factor=4.0, original_max_seq_len=20).original == 20


def test_a_ramp_the_wrong_way_round_is_refused(build):
    with pytest.raises(ConfigError, match=r"beta_fast \(1\.0\) must be above beta_slow \(2\.0\)"):
        build("yarn", 16, beta_fast=1.0, beta_slow=2.0)
