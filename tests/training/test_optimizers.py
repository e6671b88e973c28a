"""What every optimizer must do, whoever wrote it, and what AdamW and SGD are."""

import copy
import inspect
import json

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from harness.core.catalogue import section
from harness.core.flops import FlopCounter
from harness.core.model import LanguageModel
from harness.core.slots import PRECISION
from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from harness.training.optimizers import OPTIMIZER
from harness.training.schedules import SCHEDULE
from variants.presets import preset

MODELS = {
    "tied": {},
    "untied": {
        "tie_embeddings": False,
        "norm": "layer_norm",
        "attention": {"name": "gqa", "bias": True},
    },
    "experts": {"ffn": {"name": "moe", "n_experts": 4, "top_k": 2}},
    "odd": {  # matrices that are no linear layers, and linear layers outside of the blocks
        "embedding": "learned_position",
        "block": {"name": "pre_norm", "convolution": "ffn"},
        "objective": "multi_token",
    },
}
CHANGED = [
    {"name": "adamw", "decays": "all"},
    {"name": "sgd", "momentum": 0.0, "nesterov": False},
    {"name": "sgd", "weight_decay": 0.1},
    {"name": "muon", "cautious_decay": True},
    {"name": "muon", "neuron_beta2": 0.95},
    {"name": "muon", "nesterov": False, "scale": "match_rms_adamw", "dtype": "bf16"},
]
OPTIMIZERS = [*({"name": name} for name in OPTIMIZER), *CHANGED]

every_optimizer = pytest.mark.parametrize(
    "written", OPTIMIZERS, ids=lambda w: "-".join(map(str, w.values()))
)
every_model = pytest.mark.parametrize("kind", MODELS)


def recipe(written):
    return OPTIMIZER.build(OPTIMIZER.resolve(written))


def adamw(**options):
    return recipe({"name": "adamw", **options})


def sgd(**options):
    return recipe({"name": "sgd", **options})


def take_steps(lab, model, optimizer, steps):
    """Train without a loop or schedule; return the loss before each step."""
    losses = []
    for step in steps:
        torch.manual_seed(step)
        loss = model.loss(*lab.text[step])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


# Contracts


@every_optimizer
@every_model
@pytest.mark.row("R3-18")
def test_every_parameter_is_in_one_group(lab, written, kind):
    model = lab.new_model(**MODELS[kind])
    optimizer = recipe(written).build(model)
    optimized = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(optimized) == sorted(id(p) for p in model.parameters())


@every_optimizer
@every_model
def test_every_parameter_is_moved(lab, written, kind):
    model = lab.new_model(**MODELS[kind])
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    take_steps(lab, model, recipe(written).build(model), range(3))
    still = [n for n, p in model.named_parameters() if torch.equal(p, before[n])]
    assert still == []
    assert all(p.isfinite().all() for p in model.parameters())


@every_optimizer
@every_model
def test_a_stored_state_goes_on_bit_for_bit(lab, written, kind):
    """Stored as tensors and JSON, which is all that a checkpoint has."""
    model = lab.new_model(**MODELS[kind], dropout=0.1)
    optimizer = recipe(written).build(model)
    take_steps(lab, model, optimizer, range(3))
    stored = copy.deepcopy(optimizer.state_dict())
    stored["param_groups"] = json.loads(json.dumps(stored["param_groups"]))
    other = lab.new_model(seed=1, **MODELS[kind], dropout=0.1)
    other.load_state_dict(model.state_dict())
    continued = recipe(written).build(other)
    continued.load_state_dict(stored)
    losses = take_steps(lab, model, optimizer, range(3, 6))
    assert take_steps(lab, other, continued, range(3, 6)) == losses
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@every_optimizer
@every_model
@pytest.mark.row("R3-19")
def test_the_loss_of_one_batch_falls_within_20_steps(lab, written, kind):
    model = lab.new_model(**MODELS[kind], init={"std": 0.1})
    optimizer = recipe(written).build(model)
    first, *_, last = take_steps(lab, model, optimizer, [0] * 20)
    assert last < 0.9 * first


@every_optimizer
@pytest.mark.row("R3-19")
def test_each_group_alone_lowers_the_loss(lab, written):
    for alone in range(len(recipe(written).build(lab.model).param_groups)):
        model = lab.new_model(**MODELS["experts"], init={"std": 0.1})
        optimizer = recipe(written).build(model)
        for i, group in enumerate(optimizer.param_groups):
            group["lr"] *= i == alone
        first, *_, last = take_steps(lab, model, optimizer, [0] * 10)
        assert last < first - 1e-4, f"group {alone}"


@every_optimizer
@pytest.mark.row("R3-22")
def test_every_group_follows_the_schedule_at_every_step(lab, written):
    seen = []
    hook = register_optimizer_step_pre_hook(
        lambda optimizer, *_: seen.append([(g["lr"], g["peak_lr"]) for g in optimizer.param_groups])
    )
    config = lab.config({"steps": 8}, optimizer=written, schedule={"warmup": 0.5, "final": 0.2})
    list(lab.train(config))
    hook.remove()
    schedule = SCHEDULE.build(config.schedule)
    assert len(seen) == 8
    assert seen[0][0][1] == recipe(written).lr
    for step, rates in enumerate(seen):
        assert [lr for lr, _ in rates] == [schedule.factor(step / 8) * peak for _, peak in rates]


@every_optimizer
@every_model
def test_the_flops_of_a_step_are_those_it_states(lab, written, kind):
    model = lab.new_model(**MODELS[kind])
    chosen = recipe(written)
    optimizer = chosen.build(model)
    model.loss(*lab.text[0]).backward()
    with FlopCounter() as counter:
        optimizer.step()
    assert chosen.flops_per_step(model) == counter.get_total_flops()
    with torch.device("meta"):
        assert chosen.flops_per_step(LanguageModel(model.spec)) == counter.get_total_flops()


@every_optimizer
def test_weights_on_a_grid_are_optimized_like_others(lab, written):
    """Quantisation-aware training moves the parameters of layers further inside."""
    plain, model = lab.new_model(), lab.new_model()
    PRECISION.build(PRECISION.resolve({"name": "int8_qat", "group_size": 4})).prepare_training(
        model
    )
    sizes, expected = (
        [[p.numel() for p in g["params"]] for g in recipe(written).build(m).param_groups]
        for m in (model, plain)
    )
    assert [sorted(group) for group in sizes] == [sorted(group) for group in expected]


@pytest.mark.parametrize("name", list(OPTIMIZER))
def test_an_optimizer_says_what_it_is(name):
    text = inspect.getdoc(OPTIMIZER[name])
    assert section(text, "Source:")
    about = section(text, "Options:")
    assert [o for o in OPTIMIZER.schema(name).model_fields if f"{o}:" not in about] == []


# AdamW and SGD


@pytest.mark.row("R3-18")
@pytest.mark.parametrize("optimizer", [adamw, sgd])
@pytest.mark.parametrize("decays", ["matrices", "all"])
def test_what_is_asked_to_decays(lab, optimizer, decays):
    model = lab.new_model(norm="layer_norm")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert {p.ndim for p in model.parameters()} == {1, 2}
    built = optimizer(lr=0.5, weight_decay=0.2, decays=decays).build(model)
    for group in built.param_groups:
        group["nesterov"] = False  # or SGD's first step is longer
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    built.step()
    for name, parameter in model.named_parameters():
        shrunk = 0.9 if parameter.ndim == 2 or decays == "all" else 1.0
        torch.testing.assert_close(parameter.detach(), shrunk * before[name], msg=name)


@pytest.mark.row("R3-18")
def test_the_groups_of_a_published_model_have_its_sizes():
    with torch.device("meta"):
        model = LanguageModel(VariantSpec.read(preset("reference-3")))
    decays, others = adamw(beta2=0.95).build(model).param_groups
    assert (len(decays["params"]), len(others["params"])) == (86, 25)
    assert sum(p.numel() for p in decays["params"]) == 200_802_304
    assert sum(p.numel() for p in others["params"]) == 25_600
    assert (decays["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert {(g["betas"], g["eps"]) for g in (decays, others)} == {((0.9, 0.95), 1e-8)}


@pytest.mark.parametrize(
    ("ours", "options", "torchs"),
    [
        (adamw, {"beta1": 0.8, "beta2": 0.9, "eps": 1e-6}, {"betas": (0.8, 0.9), "eps": 1e-6}),
        (sgd, {"momentum": 0.8, "nesterov": False}, {"momentum": 0.8}),
        (sgd, {"momentum": 0.8, "nesterov": True}, {"momentum": 0.8, "nesterov": True}),
    ],
)
def test_it_is_torchs_own(lab, ours, options, torchs):
    model, other = lab.new_model(), lab.new_model()
    optimizer = ours(lr=0.01, weight_decay=0.1, decays="all", **options).build(model)
    kind = {adamw: torch.optim.AdamW, sgd: torch.optim.SGD}[ours]
    take_steps(lab, model, optimizer, range(4))
    its = kind(other.parameters(), lr=0.01, weight_decay=0.1, **torchs)
    take_steps(lab, other, its, range(4))
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "written",
    [
        {"name": "adamw", "lr": 0},
        {"name": "adamw", "lr": "fast"},
        {"name": "adamw", "beta1": 1},
        {"name": "adamw", "weight_decay": -1},
        {"name": "sgd", "momentum": 1.0},
        {"name": "sgd", "decays": "some"},
        {"name": "muon", "adamw_lr": 0.0},
        {"name": "muon", "n_steps": 0},
        {"name": "muon", "neuron_beta2": 1.0},
        {"name": "muon", "dtype": "fp16"},
    ],
    ids=lambda w: "-".join(map(str, w.values())),
)
def test_options_out_of_bounds_are_refused(written):
    with pytest.raises(ConfigError, match=list(written)[1]):
        recipe(written)


def test_options_that_contradict_each_other_are_refused_when_they_are_read(lab):
    with pytest.raises(ConfigError, match=r"optimizer: .*'sgd': nesterov .* momentum is 0"):
        lab.config(optimizer={"name": "sgd", "momentum": 0.0})
