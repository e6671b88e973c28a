"""A training that is taken up from its saved state goes on bit for bit."""

import itertools

import pytest
import torch

from harness.errors import AblateError
from harness.training.flops import TrainingFlops
from harness.training.loop import Training
from harness.training.state import TrainingState, gather

VARIANTS = {
    "dense with dropout": {"dropout": 0.2},
    "untied": {"tie_embeddings": False},
    "experts chosen by a bias": {"ffn": {"name": "moe", "n_experts": 4, "bias_rate": 0.1}},
    "linear attention": {"attention": "linear"},
    "gated delta rule": {"attention": "gated_delta"},
    "on the grid of int8": {"precision": {"train": "int8_qat", "infer": "int8"}},
    "bf16": {"precision": "bf16"},
    "several tokens": {"objective": "multi_token"},
}
RECIPES = {
    "muon": {"optimizer": {"name": "muon", "neuron_beta2": 0.9}},
    "momentum": {"optimizer": {"name": "sgd", "momentum": 0.9}},
    "micro-batches": {"micro_batches": 2},
    "averaged weights": {"ema": 0.8},
    "branches": {"schedule": {"name": "wsd", "decay": 0.4, "branch_at": [0.4, 0.9]}, "ema": 0.8},
    "stages": {"stages": [{"until": 0.3, "batch_size": 1}, {"until": 0.7, "seq_len": 8}]},
}
N_STEPS = 12


def training(lab, changes, state=None, seed=0):
    """A training of twelve steps, of which each is measured."""
    changes = dict(changes)
    recipe = changes.pop("recipe", {})
    config = lab.config({"steps": N_STEPS}, evaluations=4, **recipe)
    model = lab.new_model(seed, **changes)
    given = {"flops": TrainingFlops(10.0, shorter={8: 5.0}), "seed": 7, "state": state}
    return Training(model, lab.text, lab.evaluator, config, **given)


def seen(point):
    """What of a measurement does not depend on the clock, to the last bit."""
    timed = {"seconds", "tokens_per_s", "share_of_peak", "peak_memory"}
    return {
        k: v.hex() if isinstance(v, float) else v
        for k, v in point.to_dict().items()
        if k not in timed
    }


def finished(one):
    points = [seen(point) for point in one]
    return points, {n: t.clone() for n, t in gather(one.model, one.optimizer).items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert tensor.dtype == expected[name].dtype and torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize(
    "changes",
    [*VARIANTS.values(), *({"dropout": 0.2, "recipe": recipe} for recipe in RECIPES.values())],
    ids=[*VARIANTS, *RECIPES],
)
@pytest.mark.parametrize("stops", [[1], [5], [11], [3, 4, 9]])
def test_it_ends_as_if_it_had_never_been_stopped(lab, tmp_path, changes, stops):
    expected, at_end = finished(training(lab, changes))
    points, state = [], None
    for i, stop in enumerate([*stops, N_STEPS]):
        one = training(lab, changes, state, seed=i)  # other weights, which the state replaces
        steps = iter(one)
        points += map(seen, itertools.islice(steps, stop - len(points)))
        if stop < N_STEPS:
            folder = tmp_path / str(i)
            folder.mkdir()
            one.state().save(folder)
            steps.close()
            state = TrainingState.load(folder)
        else:
            points += map(seen, steps)
    assert points == expected
    assert_same(gather(one.model, one.optimizer), at_end)


def test_what_is_saved_is_loaded_equal_and_shared_tensors_once(lab, tmp_path):
    one = training(lab, {})
    next(iter(one))
    state = one.state()
    state.save(tmp_path)
    again = TrainingState.load(tmp_path)
    assert again.numbers == state.numbers
    assert_same(again.tensors, state.tensors)
    written = (tmp_path / "state.safetensors").stat().st_size
    bytes_of_all = sum(t.nbytes for t in state.tensors.values())
    assert written < bytes_of_all - 0.9 * one.model.head.weight.nbytes + 20_000


def test_the_state_of_another_model_is_refused(lab):
    one = training(lab, {})
    next(iter(one))
    with pytest.raises(AblateError, match="of another model"):
        training(lab, {"n_layers": 2}, one.state())


@pytest.mark.parametrize("lost", ["optimizer.0.exp_avg", "optimizer.1.step", "model.blocks.0.ffn"])
def test_a_state_that_lacks_something_ends_elsewhere_or_is_refused(lab, lost):
    expected, _ = finished(training(lab, {}))
    one = training(lab, {})
    next(iter(one))
    state = one.state()
    tensors = {n: t.clone() for n, t in state.tensors.items() if not n.startswith(lost)}
    assert len(tensors) < len(state.tensors)
    try:
        rest, _ = finished(training(lab, {}, TrainingState(tensors, state.numbers)))
    except (AblateError, KeyError):
        return
    assert rest != expected[1:]
