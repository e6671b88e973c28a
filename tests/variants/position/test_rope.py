"""Half-split rotary positions: the formula, the reference's numbers, and nothing stored."""

import pytest
import torch

from harness.contracts.subject import Subject, logits, tokens
from harness.core.context import Context
from harness.errors import AblateError, ConfigError
from variants.position._rotation import rope_table

transformers = pytest.importorskip("transformers")
qwen3 = pytest.importorskip("transformers.models.qwen3.modeling_qwen3")


def table(length, theta, width, dtype=torch.float32):
    """Return our cos and sin of positions 0, 1, 2, ... as (length, width), signed as theirs."""
    cos, sin = rope_table(Context(torch.arange(length)[None]), theta, width, dtype)
    signs = torch.tensor([-1, 1], dtype=dtype).repeat_interleave(width // 2)
    return cos[0, :, 0], signs * sin[0, :, 0]


def reference_table(length, theta, width):
    config = transformers.Qwen3Config(
        head_dim=width, rope_parameters={"rope_theta": theta, "rope_type": "default"}
    )
    cos, sin = qwen3.Qwen3RotaryEmbedding(config)(torch.zeros(1), torch.arange(length)[None])
    return cos[0], sin[0]


@pytest.mark.row("R0-11")
def test_the_first_channel_at_position_one_turns_by_one_radian(build, rotated):
    x = torch.tensor([1.0, 0, 0, 0]).expand(1, 2, 1, 4)
    at_0, at_1 = rotated(build("rope", 4, theta=1e4), x)[0, :, 0]
    assert torch.equal(at_0, x[0, 0, 0])
    torch.testing.assert_close(at_1, torch.tensor([0.540302, 0, 0.841471, 0]))


@pytest.mark.row("R0-11")
def test_channel_i_turns_with_channel_i_plus_half_at_its_own_rate(build, rotated):
    width, theta, position = 8, 100.0, 5
    turned = rotated(build("rope", width, theta=theta), torch.eye(width)[:, None, None],
                     torch.full((width, 1), position))[:, 0, 0]  # fmt: skip
    for i in range(width // 2):
        angle = torch.tensor(position * theta ** (-2 * i / width))
        expected = torch.zeros(width)
        expected[i], expected[i + width // 2] = angle.cos(), angle.sin()
        torch.testing.assert_close(turned[i], expected)


@pytest.mark.row("R0-11")
@pytest.mark.parametrize("name", ["rope", "rope_interleaved", "partial_rope"])
def test_a_rotation_keeps_lengths_and_scores_depend_on_distance_alone(build, rotated, q, name):
    position = build(name, 16, theta=1e4)
    torch.testing.assert_close(rotated(position, q).norm(dim=-1), q.norm(dim=-1))
    query, key = q[:1, :1], q[:1, 1:2]

    def score(m, n):
        at = lambda p: torch.tensor([[p]])  # noqa: E731
        return (rotated(position, query, at(m)) * rotated(position, key, at(n))).sum(-1)

    torch.testing.assert_close(score(9, 4), score(105, 100), rtol=1e-4, atol=1e-4)
    assert (score(9, 4) - score(9, 5)).abs().max() > 1e-2


@pytest.mark.row("R1-05")
def test_the_tables_are_in_fp32_and_their_halves_alike():
    cos, sin = table(40, 1e6, 128)
    assert cos.shape == sin.shape == (40, 128) and cos.dtype == sin.dtype == torch.float32
    assert torch.equal(cos[0], torch.ones(128)) and torch.equal(sin[0], torch.zeros(128))
    for half in (cos, sin):
        assert torch.equal(half[:, :64], half[:, 64:])


@pytest.mark.row("R1-05", "R2-07")
@pytest.mark.parametrize(("theta", "width"), [(1e4, 8), (1e6, 128), (5e5, 64)])
def test_the_tables_are_those_of_the_reference(theta, width):
    ours, theirs = table(40_960, theta, width), reference_table(40_960, theta, width)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.row("R1-06")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_turning_equals_the_reference_to_the_bit(build, q, dtype):
    q, k = q.to(dtype), q[:, :, :2].to(dtype)
    ours = build("rope", 16, theta=1e4).rotate(q, k, Context(torch.arange(40).expand(2, 40)))
    cos, sin = (t.expand(2, 40, 16) for t in table(40, 1e4, 16, dtype))
    theirs = qwen3.apply_rotary_pos_emb(q, k, cos, sin, unsqueeze_dim=2)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.row("R1-06")
def test_shorter_than_the_longest_works_and_longer_is_refused():
    model = Subject("position", "rope").model()
    assert logits(model, tokens(1, 3)).shape[1] == 3
    with pytest.raises(AblateError, match=r"33 tokens are more than max_seq_len \(32\)"):
        logits(model, tokens(1, 33))


@pytest.mark.row("R2-07")
@pytest.mark.parametrize("name", ["rope", "rope_interleaved", "yarn"])
def test_an_odd_width_has_no_pairs(build, name):
    with pytest.raises(ConfigError, match=r"head_dim, .* must be even, but is 7"):
        build(name, 7)


@pytest.mark.row("R2-08")
@pytest.mark.parametrize("name", ["rope", "rope_interleaved", "partial_rope", "yarn", "head_rope"])
def test_a_slice_rotated_at_its_offset_is_the_slice_of_the_whole(build, rotated, q, name):
    position = build(name, 16)
    there = torch.arange(11, 18).expand(2, 7)
    assert torch.equal(rotated(position, q[:, 11:18], there), rotated(position, q)[:, 11:18])


@pytest.mark.row("R2-31", "R4-07")
@pytest.mark.parametrize("name", ["rope", "rope_interleaved", "partial_rope", "yarn", "head_rope"])
def test_nothing_is_learned_or_stored(build, rotated, q, name):
    position = build(name, 16)
    rotated(position, q)
    assert not list(position.parameters()) and not list(position.buffers())
    assert position.state_dict() == {}


@pytest.mark.row("R4-07")
def test_sequences_longer_than_those_trained_on_are_read():
    model = Subject("position", "rope").model(max_seq_len=512)
    model.loss(tokens(1, 32), tokens(1, 32, seed=4)).backward()
    out = logits(model, tokens(1, 512))
    assert out.shape[1] == 512 and out.isfinite().all()
    short = logits(model, tokens(1, 512)[:, :32])
    torch.testing.assert_close(out[:, :32], short, rtol=1e-4, atol=1e-4)


@pytest.mark.row("R1-11")
def test_layers_that_agree_share_one_table(build, q):
    made = []

    class Watched(Context):
        def once(self, key, compute):
            return super().once(key, lambda: made.append(key) or compute())

    context = Watched(torch.arange(40).expand(2, 40))
    for theta in (1e4, 1e4, 1e6):
        build("rope", 16, theta=theta).rotate(q, q, context)
    wide = torch.cat((q, q), dim=-1)
    build("partial_rope", 32, share=0.5, theta=1e4).rotate(wide, wide, context)
    assert len(made) == 2
