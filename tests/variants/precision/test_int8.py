"""Integer weights are small, close, stored once, and the grid that training saw."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.contracts.subject import logits, subjects, tokens
from harness.core.cost import measure_cost, weight_bytes
from harness.core.quantize import dequantize, quantize
from harness.core.slots import PRECISION
from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from variants.presets import preset

ALL = ["int8", "int8_channel", "int8_dynamic", "int8_qat"]
REFERENCE_4 = {
    "d_model": 128, "n_layers": 3, "n_heads": 4, "head_dim": 32, "d_ff": 512, "vocab_size": 49_152,
    "max_seq_len": 256, "attention": {"name": "gqa", "n_kv_heads": 2},
}  # fmt: skip


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Layer(nn.Module):
    """A linear layer of Gaussian weights beside an embedding: the least that can be converted."""

    def __init__(self, d_in, d_out):
        super().__init__()
        self.embedding = nn.Embedding(2, 8)
        self.linear = nn.Linear(d_in, d_out, bias=False)
        self.linear.weight = nn.Parameter(0.02 * normal(d_out, d_in))


def layer(precision, **options):
    model = Layer(1024, 512)
    PRECISION[precision](**options).prepare_inference(model)
    return model.linear


def off(found, exact):
    return float((found - exact).norm() / exact.norm())


@pytest.mark.row("R0-23")
@pytest.mark.parametrize("precision", ALL)
def test_matrices_are_integers_and_norms_stay_as_they_are(build, precision):
    plain = build(attention={"name": "gqa", "bias": True})
    state = build(precision, attention={"name": "gqa", "bias": True}).state_dict()
    for name, tensor in plain.state_dict().items():
        if tensor.ndim == 1:
            assert torch.equal(state.pop(name), tensor), name
        else:
            assert state.pop(f"{name}_int8").dtype == torch.int8
            assert state.pop(f"{name}_scale").dtype == torch.float32
    assert not state


@pytest.mark.row("R0-23")
@pytest.mark.parametrize("precision", ALL)
def test_a_tied_head_stays_one_tensor_with_the_embedding(build, precision):
    model = build(precision)
    assert model.head.weight_int8 is model.embedding.weight_int8
    assert model.head.weight_scale is model.embedding.weight_scale
    untied = build(precision, tie_embeddings=False)
    assert untied.head.weight_int8 is not untied.embedding.weight_int8
    assert weight_bytes(untied) > weight_bytes(model)


@pytest.mark.parametrize("precision", ALL)
def test_an_embedding_that_is_left_keeps_a_tied_head(build, precision):
    given = {"options": {"embedding": False}}
    tied, untied = build(precision, **given), build(precision, **given, tie_embeddings=False)
    assert tied.head.weight is tied.embedding.weight
    assert not tied.head._forward_pre_hooks  # its input stays fp32 with it
    assert untied.embedding.weight.dtype == torch.float32
    assert untied.head.weight_int8.dtype == torch.int8


@pytest.mark.row("R0-19")
def test_the_product_of_integer_weights_is_off_by_less_than_a_percent():
    w, x = 0.02 * normal(512, 1024), normal(64, 1024, seed=1)
    exact = x @ w.T
    assert off(layer("int8")(x), exact) <= 0.01
    assert 0.005 < off(layer("int8_dynamic")(x), exact) <= 0.015
    whole = dequantize(*quantize(w.flatten(), w.numel())).view_as(w)  # one scale for all
    assert off(x @ whole.T, exact) > 0.01


@pytest.mark.row("R0-19")
def test_dynamic_products_are_those_of_integers(group_size=64):
    w, x = 0.02 * normal(512, 1024), normal(16, 1024, seed=1)
    (w8, w_scale), (x8, x_scale) = quantize(w, group_size), quantize(x, group_size)
    w8, x8 = (q.unflatten(-1, (-1, group_size)).long() for q in (w8, x8))
    sums = torch.einsum("ngi,ogi->nog", x8, w8)  # exact
    assert sums.abs().max() < 2**31
    exact = (sums * x_scale.double()[:, None] * w_scale.double()[None]).sum(-1)
    assert off(layer("int8_dynamic")(x).double(), exact) <= 1e-6


def test_a_scale_a_channel_is_the_layout_of_the_kernel():
    linear, x = layer("int8_channel"), normal(16, 1024, seed=1)
    assert linear.weight_scale.shape == (512, 1)
    kernel = torch._weight_int8pack_mm(x, linear.weight_int8, linear.weight_scale.flatten())
    assert off(linear(x), kernel) <= 1e-6


@pytest.mark.row("R0-20")
@pytest.mark.parametrize(
    ("variant", "n_bytes", "ratio"),
    [
        pytest.param(REFERENCE_4, 7_472_384, 3.763, id="reference-4"),
        pytest.param(
            preset("qwen3-0.6b"), 633_495_552, 3.764, id="qwen3-0.6b", marks=pytest.mark.slow
        ),
    ],
)
def test_the_bytes_of_known_models(variant, n_bytes, ratio):
    full = measure_cost(VariantSpec.read(variant), 16)
    small = measure_cost(VariantSpec.read({**variant, "precision": {"infer": "int8"}}), 16)
    assert small.weight_bytes == n_bytes
    assert full.weight_bytes == 4 * full.params
    assert full.weight_bytes / small.weight_bytes == pytest.approx(ratio, abs=5e-4)


@pytest.mark.row("R0-20")
@pytest.mark.parametrize("group_size", [16, 32])
def test_bytes_are_those_of_integers_scales_and_norms(build, group_size):
    model = build("int8", options={"group_size": group_size})
    vectors = sum(p.numel() for p in model.parameters())
    matrices = sum(p.numel() for p in build().parameters()) - vectors
    assert weight_bytes(model) == matrices * (1 + 4 / group_size) + 4 * vectors


def test_what_an_objective_learns_is_not_stored_for_inference(build):
    model = build()
    before = weight_bytes(model)
    model.objective.extra = nn.Linear(64, 64)
    assert weight_bytes(model) == before


@pytest.mark.row("R0-18")
def test_a_width_without_a_group_is_told_with_its_path():
    narrow = {**REFERENCE_4, "d_model": 130, "precision": {"infer": "int8"}}
    with pytest.raises(ConfigError, match="width of 130; int8_channel takes any") as found:
        measure_cost(VariantSpec.read(narrow), 16)
    assert found.value.problems[0].path == ("precision", "infer")
    channel = {**narrow, "precision": {"infer": "int8_channel"}}
    assert measure_cost(VariantSpec.read(channel), 16).weight_bytes > 0


def test_stacked_experts_are_converted_in_groups_along_their_rows(build, batch):
    ffn = {"name": "moe", "n_experts": 4}
    plain, model = build(ffn=ffn), build("int8", ffn=ffn)
    up = model.blocks[0].ffn.experts.up_proj
    assert (up.weight_int8.shape, up.weight_scale.shape) == ((4, 96, 64), (4, 96, 1))
    one = plain.blocks[0].ffn.experts.up_proj.weight[3]
    assert torch.equal(up.weight[3], dequantize(*quantize(one.detach(), 64)))
    with torch.no_grad():
        assert off(model(batch), plain(batch)) < 0.1
    rows = []
    dynamic = build("int8_dynamic", ffn=ffn)
    dynamic.blocks[0].ffn.experts.up_proj.register_forward_pre_hook(lambda _, x: rows.append(x[0]))
    dynamic(batch)
    assert torch.allclose(rows[0], dequantize(*quantize(rows[0], 64)), atol=1e-6)


@pytest.mark.slow
def test_every_component_is_converted_but_for_tables_and_short_convolutions():
    left = set()
    for subject in subjects():
        if subject.slot == "precision" or subject.options:
            continue
        model = subject.model()
        PRECISION["int8"]().prepare_inference(model)
        assert logits(model, tokens()).isfinite().all(), subject
        stored = model.state_dict().items()
        left |= {n.rpartition(".")[2] if "conv" not in n else "conv" for n, t in stored
                 if t.is_floating_point() and t.ndim > 1 and not n.endswith("_scale")}  # fmt: skip
    assert left <= {"position_weight", "conv"}


def train(model, n_steps):
    """Show a model a text of which it can learn most."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(n_steps):
        tokens = text(8, 33, seed=step)
        optimizer.zero_grad()
        model.loss(tokens[:, :-1], tokens[:, 1:]).backward()
        optimizer.step()
    return model


def text(n_rows, length, seed):
    """Return rows that go on by 5 or, one time in four, by 11."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.where(torch.rand((n_rows, length), generator=generator) < 0.25, 11, 5)
    return (torch.randint(128, (n_rows, 1), generator=generator) + steps.cumsum(1)) % 128


@torch.no_grad()
def held_out(model):
    """Return the mean loss on unseen text, and what the model would say."""
    tokens = text(64, 33, seed=10_000)
    logits = model(tokens[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()), logits.argmax(-1)


@pytest.fixture(scope="module")
def learned(build):
    """Return the weights of a small model that has learned the text."""
    return train(build(init={"std": 0.02}), 120).state_dict()


@pytest.mark.row("R0-21")
@pytest.mark.parametrize("precision", ALL)
def test_a_trained_model_loses_nearly_nothing(build, learned, precision, record_property):
    model = build()
    model.load_state_dict(learned)
    before, said = held_out(model)
    PRECISION[precision]().prepare_inference(model)
    after, says = held_out(model)
    agreement = (said == says).float().mean()
    record_property("val_loss_delta", float(after - before))
    record_property("greedy_agreement", float(agreement))
    assert before < 0.8  # of ln 128 = 4.9; what the text cannot tell is 0.56
    assert 0 < abs(after - before) <= 0.01
    assert agreement >= 0.99


def test_training_on_the_grid_takes_the_gradients_of_the_moved_weights(build, batch):
    model, moved = build(), build()
    for parameter in moved.parameters():
        if parameter.ndim == 2:
            parameter.data = dequantize(*quantize(parameter.data, fitting(parameter)))
    PRECISION["int8_qat"]().prepare_training(model)
    losses = [m.loss(batch[:, :-1], batch[:, 1:]) for m in (model, moved)]
    for loss in losses:
        loss.backward()
    PRECISION["int8_qat"]().finish_training(model)
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    for (name, a), b in zip(model.named_parameters(), moved.parameters(), strict=True):
        assert off(a.grad, b.grad) <= 1e-5, name


def fitting(parameter):
    return 64 if parameter.shape[1] % 64 == 0 else 32


@pytest.mark.parametrize("options", [{}, {"group_size": 16}, {"embedding": False}])
def test_conversion_lands_on_the_grid_that_was_trained_with(build, batch, options):
    model, component = build(), PRECISION["int8_qat"](**options)
    component.prepare_training(model)
    train(model, 10)
    with torch.no_grad():
        seen = model(batch)
        component.finish_training(model)
        latent = model(batch)
        component.prepare_inference(model)
        assert off(model(batch), seen) <= 1e-5
    assert off(latent, seen) > 1e-4
