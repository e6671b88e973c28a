"""Muon is torch's, and goes further: stacks of matrices, fp32, and AdamW for everything else."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from harness.core.hidden import hidden_matrices
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.training.optimizers import OPTIMIZER
from harness.training.optimizers._newton_schulz import orthogonalize, orthogonalize_flops
from variants.presets import preset

WIDE = {"d_model": 32, "d_ff": 128, "n_heads": 4}
EXPERTS = {**WIDE, "ffn": {"name": "moe", "n_experts": 3, "top_k": 2}}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def muon(**options):
    return OPTIMIZER.build(OPTIMIZER.resolve({"name": "muon", **options}))


def matrix(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def distance(a, b):
    """Return the largest difference, relative to the largest value."""
    return float((a - b).abs().max() / b.abs().max())


def names_of(model, parameters):
    chosen = {id(p) for p in parameters}
    return {name for name, p in model.named_parameters() if id(p) in chosen}


def give_gradients(parameters, seed):
    for i, parameter in enumerate(parameters):
        parameter.grad = matrix(parameter.shape, 100 * seed + i)


def move_once(model, **options):
    """Return the gradients and changes of the hidden matrices, by name, after one step."""
    optimizer = muon(**{"weight_decay": 0.0, **options}).build(model)
    hidden = {name: p for name, p in model.named_parameters() if p in set(hidden_matrices(model))}
    before = {name: p.detach().clone() for name, p in hidden.items()}
    give_gradients(hidden.values(), seed=1)
    gradients = {name: p.grad.clone() for name, p in hidden.items()}
    optimizer.step()
    return gradients, {name: p.detach() - before[name] for name, p in hidden.items()}


# Which parameters


@pytest.mark.row("R4-11")
def test_the_split_of_a_published_model_has_its_sizes():
    with torch.device("meta"):
        model = LanguageModel(VariantSpec.read(preset("reference-4")))
    hidden, *others = muon().build(model).param_groups
    assert hidden["rule"] == "muon" and {group["rule"] for group in others} == {"adamw"}
    assert sum(p.numel() for p in hidden["params"]) == 737_280
    assert sum(p.numel() for group in others for p in group["params"]) == 6_292_544


@pytest.mark.row("R4-11")
@pytest.mark.parametrize("tie", [True, False])
def test_embedding_head_and_vectors_are_never_orthogonalised(lab, tie):
    model = lab.new_model(tie_embeddings=tie, attention={"name": "gqa", "bias": True}, n_layers=2)
    names = names_of(model, hidden_matrices(model))
    projections = {
        *(f"attention.{p}_proj.weight" for p in "qkvo"),
        *(f"ffn.{p}_proj.weight" for p in ("gate", "up", "down")),
    }
    assert names == {f"blocks.{i}.{p}" for i in (0, 1) for p in projections}
    assert len(hidden_matrices(model)) == len(names)


def test_tables_with_two_axes_are_not_orthogonalised(lab):
    block = {"name": "pre_norm", "convolution": "ffn"}
    model = lab.new_model(embedding="learned_position", block=block)
    plain = lab.new_model()
    names = names_of(model, hidden_matrices(model))
    assert names == names_of(plain, hidden_matrices(plain))
    tables = {"embedding.weight", "embedding.position_weight", "blocks.0.convolutions.ffn.weight"}
    assert {n for n, p in model.named_parameters() if p.ndim > 1} == names | tables


def test_experts_routers_and_modules_of_the_objective_are_orthogonalised(lab):
    model = lab.new_model(**EXPERTS, objective="multi_token")
    names = names_of(model, hidden_matrices(model))
    for part in ("blocks.0", "objective.ahead.0.block"):
        assert f"{part}.ffn.router.weight" in names
        assert f"{part}.ffn.experts.gate_proj.weight" in names
    assert "objective.ahead.0.join.weight" in names


def test_a_matrix_that_layers_share_is_taken_once(lab):
    model = lab.new_model(n_layers=2)
    model.blocks[1].ffn.up_proj.weight = model.blocks[0].ffn.up_proj.weight
    hidden, *_ = muon().build(model).param_groups
    assert len(hidden["params"]) == 2 * 7 - 1


# The iteration


@pytest.mark.row("R4-09")
@pytest.mark.parametrize("shape", [(64, 32), (32, 64), (128, 512)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-4), ("bf16", 0.05)])
def test_singular_values_go_near_one_and_singular_vectors_stay(shape, dtype, tolerance):
    g = matrix(shape)
    out = orthogonalize(g[None], 5, DTYPES[dtype])[0].float()
    if dtype == "fp32":
        values = torch.linalg.svdvals(out)
        assert values.min() >= 0.65 and values.max() <= 1.2
    u, _, vh = torch.linalg.svd(g, full_matrices=False)
    rotated = u.T @ out @ vh.T
    rotated.fill_diagonal_(0)
    assert rotated.abs().max() <= tolerance


@pytest.mark.row("R4-09")
@pytest.mark.parametrize("shape", [(64, 32), (48, 48)])
def test_the_transpose_of_a_matrix_goes_to_the_transpose(shape):
    g = matrix(shape)
    out, turned = (orthogonalize(x[None], 5, torch.float32)[0] for x in (g, g.T))
    assert distance(turned.T, out) <= 1e-5


def test_the_scale_of_a_matrix_does_not_matter_and_zeros_stay():
    g = matrix((32, 64))
    stack = torch.stack((g, 1e-5 * g, torch.zeros_like(g)))
    out = orthogonalize(stack, 5, torch.float32)
    assert distance(out[1], out[0]) <= 1e-5
    assert not out[2].any()


def test_what_small_singular_values_become_is_said_truly():
    """Above a hundredth of the norm they are near 1; below, 485 times as large at most."""
    _, _, rest = (orthogonalize.__doc__ or "").partition("After five, ")
    assert "above a hundredth" in rest and "0.68 and 1.14" in rest and "485" in rest
    values = torch.logspace(-6, 0, 2000, dtype=torch.float64)
    grown = values.clone()
    for _ in range(5):
        grown = 3.4445 * grown - 4.7750 * grown**3 + 2.0315 * grown**5
    near = grown[values >= 0.01]
    assert near.min() >= 0.68 and near.max() <= 1.14
    assert (grown / values).max() <= 485


@pytest.mark.row("R4-09")  # its products are of the shorter side
@pytest.mark.parametrize("shape", [(1, 32, 64), (1, 64, 32), (5, 24, 24), (3, 16, 48)])
@pytest.mark.parametrize("n_steps", [1, 5])
def test_the_flops_of_the_iteration_are_those_that_torch_counts(shape, n_steps):
    with FlopCounterMode(display=False) as counter:
        orthogonalize(matrix(shape), n_steps, torch.float32)
    assert orthogonalize_flops(shape, n_steps) == counter.get_total_flops()


# The step


def newton_schulz(grad, coefficients, n_steps, eps):
    """Do in fp32 what torch does in bf16."""
    a, b, c = coefficients
    x = grad.T if grad.shape[0] > grad.shape[1] else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(n_steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if grad.shape[0] > grad.shape[1] else x


@pytest.mark.row("R4-08")
@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-4), ("bf16", 2e-2)])
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("scale", ["original", "match_rms_adamw"])
def test_five_steps_are_those_of_torch(lab, monkeypatch, dtype, tolerance, nesterov, scale):
    if dtype == "fp32":
        monkeypatch.setattr(torch.optim._muon, "_zeropower_via_newtonschulz", newton_schulz)
    model = lab.new_model(**EXPERTS)
    hidden = hidden_matrices(model)
    assert {p.ndim for p in hidden} == {2, 3}
    starts = [p.detach().clone() for p in hidden]
    single = [m.clone() for start in starts for m in start.reshape(-1, *start.shape[-2:])]
    options = {"lr": 0.01, "momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.0}
    ours = muon(**options, dtype=dtype, scale=scale).build(model)
    torchs = torch.optim.Muon(single, **options, adjust_lr_fn=scale)
    for step in range(5):
        give_gradients(hidden, seed=step)
        slices = [g for p in hidden for g in p.grad.reshape(-1, *p.shape[-2:])]
        for weight, grad in zip(single, slices, strict=True):
            weight.grad = grad.clone()
        ours.step()
        torchs.step()
    theirs = iter(single)
    for start, parameter in zip(starts, hidden, strict=True):
        expected = torch.stack([next(theirs) for _ in start.reshape(-1, *start.shape[-2:])])
        moved = parameter.detach() - start
        assert distance(moved, expected.view_as(start) - start) <= tolerance


@pytest.mark.row("R4-10")
def test_tall_matrices_move_further(lab):
    gradients, changes = move_once(lab.new_model(**WIDE), lr=0.1)
    factors = {"ffn.up_proj": 2.0, "ffn.down_proj": 1.0, "attention.q_proj": 1.0}
    for name, factor in factors.items():
        name = f"blocks.0.{name}.weight"
        direction = orthogonalize(gradients[name][None], 5, torch.float32)[0]
        assert distance(changes[name], -0.1 * factor * direction) <= 1e-4


def test_updates_can_have_the_size_of_adamws(lab):
    """A root mean square of 0.2 a unit of rate, as far as singular values are 1."""
    _, changes = move_once(lab.new_model(**WIDE), lr=0.1, scale="match_rms_adamw")
    for name, change in changes.items():
        assert 0.6 < change.square().mean().sqrt() / 0.02 < 1.2, name


def test_everything_else_is_moved_by_adamw(lab):
    model, other = (lab.new_model(**EXPERTS, tie_embeddings=False) for _ in range(2))
    options = {"lr": 0.003, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": 0.2}
    prefixed = {f"adamw_{name}": value for name, value in options.items()}
    ours = muon(**prefixed).build(model)
    adamw = OPTIMIZER.build(OPTIMIZER.resolve({"name": "adamw", **options})).build(other)
    for step in range(4):
        for m in (model, other):
            give_gradients(list(m.parameters()), step)
        ours.step()
        adamw.step()
    hidden = names_of(model, hidden_matrices(model))
    theirs = dict(other.named_parameters())
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, theirs[name]) == (name not in hidden), name


@pytest.mark.parametrize(("options", "held"), [({}, 0.9), ({"cautious_decay": True}, None)])
def test_decay_is_by_the_rate_and_if_cautious_only_the_updates_way(lab, options, held):
    before = dict(lab.new_model(**WIDE, init={"std": 0.2}).named_parameters())
    plain = move_once(lab.new_model(**WIDE, init={"std": 0.2}), lr=0.5)[1]
    decayed = move_once(
        lab.new_model(**WIDE, init={"std": 0.2}), lr=0.5, weight_decay=0.2, **options
    )[1]
    for name, change in plain.items():
        weight = before[name].detach()
        same_way = (change * weight < 0) if held is None else torch.ones_like(weight, dtype=bool)
        torch.testing.assert_close(
            decayed[name] - change, -0.1 * weight * same_way, rtol=1e-3, atol=1e-6
        )


def test_normalised_neurons_move_alike_and_the_whole_as_far(lab):
    """At the first step each row is divided by its own norm: rows end as long as each other."""
    plain = move_once(lab.new_model(**EXPERTS))[1]
    changes = move_once(lab.new_model(**EXPERTS), neuron_beta2=0.95)[1]
    for name, change in changes.items():
        rows = change.norm(dim=-1)
        assert (rows / rows.mean(-1, keepdim=True) - 1).abs().max() < 1e-3, name
        norm, its_norm = (torch.linalg.matrix_norm(c) for c in (plain[name], change))
        torch.testing.assert_close(its_norm, norm, rtol=1e-3, atol=0)
    spread = plain["blocks.0.ffn.experts.up_proj.weight"].norm(dim=-1)
    assert spread.max() / spread.min() > 1.2


def test_the_normalisation_remembers(lab):
    """After rows of one size, a row that is larger moves further."""
    model = lab.new_model(**WIDE)
    optimizer = muon(neuron_beta2=0.9, momentum=0.0, nesterov=False, weight_decay=0.0).build(model)
    weight = model.blocks[0].ffn.down_proj.weight  # 32 128
    flat = torch.eye(32, 128)
    steep = torch.cat((flat[:16], 1e-3 * flat[16:]))
    moved = []
    for grad in (flat, flat, steep):
        before = weight.detach().clone()
        weight.grad = grad.clone()
        optimizer.step()
        moved.append((weight.detach() - before).norm(dim=-1))
    assert moved[1].max() / moved[1].min() < 1.01
    assert moved[2][:16].min() / moved[2][16:].max() > 1.3


@pytest.mark.parametrize(("asked", "used"), [("auto", torch.float32), ("bf16", torch.bfloat16)])
def test_the_iteration_is_in_fp32_on_a_cpu_unless_asked(lab, asked, used):
    options = {"lr": 1.0, "momentum": 0.0, "nesterov": False, "dtype": asked}
    gradients, changes = move_once(lab.new_model(**WIDE), **options)
    name = "blocks.0.ffn.down_proj.weight"
    direction = orthogonalize(gradients[name][None], 5, used)[0].float()
    torch.testing.assert_close(changes[name], -direction, rtol=0, atol=1e-6)
