"""The loop spends exactly its budget, reports it truly, and stops before it spoils anything."""

import itertools
import math
import time

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.errors import ConfigError, Diverged
from harness.training.flops import TrainingFlops
from harness.training.loop import Training


def last(points):
    return list(points)[-1]


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        ({"steps": 7}, 7),
        ({"tokens": 32 * 7}, 7),
        ({"tokens": 32 * 6 + 1}, 7),  # the step that reaches the budget is the last
        ({"flops": 320 * 7}, 7),
        ({"flops": 320 * 6 + 1}, 7),
        ({"seconds": 1e-9}, 1),
    ],
)
def test_training_stops_when_the_budget_is_spent(lab, budget, steps):
    point = last(lab.train(lab.config(budget)))
    assert point.step == steps
    assert point.fraction == 1.0
    assert (point.tokens, point.flops) == (32 * steps, 320 * steps)
    assert lab.text.asked == list(range(steps))


def test_a_budget_in_seconds_is_spent_in_seconds(lab):
    points = list(lab.train(lab.config({"seconds": 0.2}, evaluations=2)))
    assert points[-1].seconds >= 0.2 > points[-2].seconds
    for point in points[:-1]:
        assert point.fraction == pytest.approx(point.seconds / 0.2)


def test_fractions_rise_to_one_and_evaluations_are_as_many_as_asked_for(lab):
    points = list(lab.train(lab.config({"steps": 23}, evaluations=4)))
    fractions = [point.fraction for point in points]
    assert fractions == sorted(set(fractions))
    assert fractions[-1] == 1.0
    evaluated = [point for point in points if point.evaluation]
    assert len(evaluated) == 4
    assert [point.step for point in evaluated] == [6, 12, 18, 23]
    assert evaluated[-1] is points[-1]
    assert all(point.fraction == point.step / 23 for point in points)


def test_a_long_training_is_reported_a_hundred_times(lab):
    points = list(lab.train(lab.config({"steps": 300}, evaluations=1)))
    assert len(points) == 100
    assert [point.step for point in points] == list(range(3, 301, 3))
    assert [bool(point.evaluation) for point in points] == [False] * 99 + [True]


def test_the_reported_loss_is_the_mean_since_the_last_report(lab):
    # of twice as many steps every second one is reported; their losses at a constant rate agree
    flat = {"schedule": {"warmup": 0, "final": 1}}
    each = list(lab.train(lab.config({"steps": 100}, **flat), model=lab.new_model()))
    pairs = list(lab.train(lab.config({"steps": 200}, **flat), model=lab.new_model()))
    means = [(a.train_loss + b.train_loss) / 2 for a, b in zip(each[::2], each[1::2], strict=True)]
    assert [p.train_loss for p in pairs[:50]] == pytest.approx(means, rel=1e-6)


def test_what_components_add_to_the_loss_is_minimised_and_reported_apart(lab):
    def first(weight):
        moe = {"name": "moe", "n_experts": 4, "balance_loss": weight}
        model = lab.new_model(ffn=moe, init={"std": 0.3})
        return next(iter(lab.train(lab.config({"steps": 1}), model)))

    without, with_it = first(0.0), first(0.5)
    assert without.auxiliary_loss == 0.0
    assert with_it.train_loss == without.train_loss
    assert with_it.auxiliary_loss == pytest.approx(0.5 * 2, rel=0.1)  # top_k, if balanced
    assert with_it.grad_norm != without.grad_norm
    assert with_it.to_dict()["auxiliary_loss"] == with_it.auxiliary_loss


def test_the_rate_follows_the_schedule(lab):
    config = lab.config(
        {"steps": 10}, optimizer={"lr": 0.01}, schedule={"warmup": 0.5, "final": 0.1}
    )
    rates = [point.lr for point in lab.train(config)]
    assert rates[:6] == pytest.approx([1e-4, 2e-3, 4e-3, 6e-3, 8e-3, 1e-2])
    decay = [1e-3 + 9e-3 * (1 + math.cos(math.pi * k / 5)) / 2 for k in range(1, 5)]
    assert rates[6:] == pytest.approx(decay)


@pytest.mark.row("R4-23")
def test_the_recorded_norm_is_that_before_clipping(lab):
    model = lab.new_model()
    inputs, targets = lab.text[0]
    model.loss(inputs, targets).backward()
    norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm().item()
    for clip in (norm / 100, norm * 100):
        point = next(iter(lab.train(lab.config({"steps": 1}, grad_clip=clip), lab.new_model())))
        assert point.grad_norm == pytest.approx(norm, rel=1e-5)


@pytest.mark.row("R4-23")
def test_the_optimizer_never_sees_a_norm_above_one(lab):
    text, norms = lab.text, []
    model = lab.new_model(init={"std": 0.5})  # whose first gradients are large
    training = Training(
        model, text, lab.evaluator, lab.config({"steps": 12}), flops=TrainingFlops(1.0), seed=0
    )
    gradients = lambda *_: norms.append(nn.utils.get_total_norm(p.grad for p in model.parameters()))  # noqa: E731
    training.optimizer.register_step_pre_hook(gradients)
    logged = [point.grad_norm for point in training]
    assert len(norms) == len(logged) == 12
    assert max(logged) > 1.5
    assert max(norms) <= 1.0 + 1e-4
    for norm, before in zip(norms, logged, strict=True):
        assert norm.item() == pytest.approx(min(before, 1.0), abs=1e-4)


@pytest.mark.row("R4-23")
def test_clipped_gradients_are_what_the_optimizer_sees(lab):
    # with a large eps AdamW moves by about lr * gradient / eps
    options = {"optimizer": {"lr": 1.0, "eps": 1e6, "weight_decay": 0.0}, "schedule": {"warmup": 0}}
    moved = {}
    for clip in (1e-3, 1e3):
        model = lab.new_model().double()
        before = nn.utils.parameters_to_vector(model.parameters()).clone()
        point = last(lab.train(lab.config({"steps": 1}, grad_clip=clip, **options), model))
        after = nn.utils.parameters_to_vector(model.parameters())
        moved[clip] = (after - before).norm().item()
    assert moved[1e-3] == pytest.approx(1e-3 / 1e6, rel=1e-3)
    assert moved[1e3] == pytest.approx(point.grad_norm / 1e6, rel=1e-3)


def test_a_learnable_text_is_learned(lab):
    points = list(lab.train(lab.config({"steps": 150}, optimizer={"lr": 0.02})))
    assert points[0].train_loss > 3.0
    assert points[-1].train_loss < 1.5
    assert points[-1].evaluation.val_loss < 2.0


def test_closing_the_generator_stops_the_training(lab):
    points = iter(lab.train(lab.config({"steps": 50})))
    next(points)
    points.close()
    assert lab.text.asked == [0]
    with pytest.raises(StopIteration):
        next(points)


class Spoiled:
    """The text, and a model that is spoiled before the step of a number."""

    def __init__(self, lab, step, how):
        self.lab, self.step, self.how = lab, step, how

    def __getitem__(self, step):
        if step == self.step:
            self.how(self.lab.model)
        return self.lab.text[step]


def spoil(model):
    with torch.no_grad():
        model.norm.weight[0] = float("nan")


@pytest.mark.parametrize("step", [0, 3])
def test_a_loss_of_nan_stops_before_the_update(lab, step):
    frozen = {}

    def freeze(model):
        spoil(model)
        frozen.update({n: p.detach().clone() for n, p in model.named_parameters()})

    with pytest.raises(Diverged, match=rf"loss is nan at step {step + 1}; the update was not made"):
        list(lab.train(lab.config({"steps": 9}), batches=Spoiled(lab, step, freeze)))
    for name, parameter in lab.model.named_parameters():
        torch.testing.assert_close(parameter.detach(), frozen[name], equal_nan=True)


def test_an_infinite_gradient_stops_before_the_update(lab):
    lab.model.head.weight.register_hook(lambda gradient: gradient * float("inf"))
    before = lab.model.norm.weight.detach().clone()
    with pytest.raises(Diverged, match=r"gradient norm is (inf|nan) at step 1"):
        list(lab.train(lab.config()))
    assert torch.equal(lab.model.norm.weight, before)


def test_a_model_that_the_last_update_broke_has_not_been_trained(lab):
    """Its training losses were finite, but there is no result to report."""
    config = lab.config({"steps": 1}, evaluations=1)

    def evaluate(model):
        spoil(model)
        return lab.evaluator(model)

    flops = TrainingFlops(1.0)
    points = Training(lab.model, lab.text, evaluate, config, flops=flops, seed=0)
    with pytest.raises(Diverged, match="held-out loss is nan after step 1"):
        list(points)


def test_dropout_is_keyed_by_seed_and_step(lab):
    """Not by the global generator: a curve depends neither on what was drawn before nor between."""

    def losses(global_seed, seed):
        model = lab.new_model()
        model.embedding.register_forward_hook(lambda *call: F.dropout(call[2], 0.5))
        torch.manual_seed(global_seed)
        return [point.train_loss for point in lab.train(lab.config({"steps": 5}), model, seed)]

    assert losses(1, seed=0) == losses(2, seed=0) != losses(1, seed=1)


def test_a_measurement_is_written_flat(lab):
    *_, point = lab.train(lab.config({"steps": 2}, evaluations=1))
    written = point.to_dict()
    assert written["val_bpb"] == point.evaluation.val_bpb
    assert written["step"] == 2
    assert "evaluation" not in written
    assert written.pop("share_of_peak") is None  # unknown here
    assert written.pop("activations") == point.evaluation.activations  # by layer
    assert all(isinstance(value, int | float) for value in written.values())


class Masked:
    """A text of which the first row of each batch has few targets."""

    def __init__(self, text):
        self.text = text

    def __getitem__(self, step):
        tokens, targets = self.text[step]
        targets = targets.clone()
        targets[0, 3:] = -100
        return tokens, targets


@pytest.mark.row("R4-20")
@pytest.mark.parametrize("masked", [False, True])
def test_micro_batches_add_up_to_the_whole_batch(lab, masked):
    def trained(parts):
        text = type(lab.text)(batch_size=4, seq_len=16)
        config = lab.config({"steps": 3}, batch_size=4, micro_batches=parts)
        model = lab.new_model()
        points = list(lab.train(config, model, batches=Masked(text) if masked else text))
        return points, dict(model.named_parameters()), text.asked

    (whole, weights, _), (halves, others, asked) = trained(1), trained(2)
    assert [(p.step, p.tokens, p.flops) for p in halves] == [
        (p.step, p.tokens, p.flops) for p in whole
    ]
    assert asked == [0, 1, 2]
    for one, two in zip(whole, halves, strict=True):
        assert two.train_loss == pytest.approx(one.train_loss, rel=1e-6)
        assert two.grad_norm == pytest.approx(one.grad_norm, rel=1e-5)
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-4, atol=1e-6)


def test_micro_batches_drop_different_channels(lab):
    seen = []
    model = lab.new_model()
    model.embedding.register_forward_hook(lambda *call: seen.append(torch.rand(()).item()))
    list(lab.train(lab.config({"steps": 2}, batch_size=2, micro_batches=2, evaluations=1), model))
    assert len(set(seen[:4])) == 4


@pytest.mark.row("R3-27")
def test_parts_of_a_batch_are_equal(lab):
    with pytest.raises(ConfigError, match=r"micro_batches \(3\) must divide batch_size \(4\)"):
        lab.config(batch_size=4, micro_batches=3)


@pytest.mark.parametrize(
    "changes", [{}, {"ffn": {"name": "moe", "n_experts": 4, "bias_rate": 0.1}}]
)
def test_the_warm_up_of_a_compiled_model_leaves_no_trace(lab, changes):
    def losses(compile):
        config = lab.config({"steps": 3}, compile=compile, stages=[{"until": 0.4, "seq_len": 8}])
        points = list(lab.train(config, lab.new_model(dropout=0.2, **changes)))
        return [(point.train_loss, point.grad_norm) for point in points]

    assert losses(True) == losses(False)


def test_the_warm_up_of_a_compiled_model_is_not_charged(lab, monkeypatch):
    """On a clock that moves by one when it is read, and by a thousand when the model compiles."""
    now = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(now)))

    def compile_for_long(*_):
        for _ in range(1000):
            next(now)
        slow.remove()

    slow = lab.model.embedding.register_forward_pre_hook(compile_for_long)
    point = last(lab.train(lab.config({"steps": 2}, compile=True)))
    assert point.seconds == 2  # each of two steps reads it at its start and at its end
