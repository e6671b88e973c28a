"""The average of weights is what its formula says, and swapping it in changes nothing for good."""

import pytest
import torch

from harness.errors import AblateError
from harness.training.ema import WeightAverage


@torch.no_grad()
def move(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter += torch.randn(parameter.shape, generator=generator)


def weights(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def followed(model, decay, n):
    """Return an average of n states of a model, and those states."""
    average, states = WeightAverage(model, decay), []
    for seed in range(n):
        move(model, seed)
        average.update(model)
        states.append(weights(model))
    return average, states


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-5, atol=1e-6)


def assert_identical(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_at_first_it_is_the_mean_and_initial_weights_leave_no_trace(lab):
    average, states = followed(lab.model, 0.9, 10)
    with average.swapped_in(lab.model):
        mean = {name: sum(state[name] for state in states) / 10 for name in states[0]}
        assert_equal(weights(lab.model), mean)


def test_then_older_weights_fade_by_the_decay(lab):
    average, states = followed(lab.model, 0.75, 12)
    with average.swapped_in(lab.model):
        shares = [0.75**8 / 4] * 4 + [0.25 * 0.75 ** (11 - k) for k in range(4, 12)]
        assert sum(shares) == pytest.approx(1)
        expected = {
            name: sum(share * state[name] for share, state in zip(shares, states, strict=True))
            for name in states[0]
        }
        assert_equal(weights(lab.model), expected)


def test_a_decay_of_zero_keeps_the_last_weights(lab):
    average, states = followed(lab.model, 0.0, 3)
    with average.swapped_in(lab.model):
        assert_identical(weights(lab.model), states[-1])


def test_the_models_own_weights_come_back_bit_for_bit(lab):
    average, states = followed(lab.model, 0.9, 3)
    for _ in range(2):
        with average.swapped_in(lab.model):
            assert not torch.equal(lab.model.norm.weight, states[-1]["norm.weight"])
            assert lab.model.head.weight is lab.model.embedding.weight
        assert_identical(weights(lab.model), states[-1])


def test_they_come_back_when_the_evaluation_fails(lab):
    average, states = followed(lab.model, 0.9, 3)
    with pytest.raises(KeyboardInterrupt), average.swapped_in(lab.model):
        raise KeyboardInterrupt
    assert_identical(weights(lab.model), states[-1])


def test_the_averaged_model_is_what_is_evaluated(lab):
    average, states = followed(lab.model, 0.9, 3)
    other = lab.new_model()
    other.load_state_dict({n: sum(s[n] for s in states) / 3 for n in states[0]}, strict=False)
    with average.swapped_in(lab.model):
        found = lab.evaluator(lab.model).val_loss
    assert found == pytest.approx(lab.evaluator(other).val_loss, rel=1e-5)


def test_neither_training_nor_a_swap_moves_what_is_averaged(lab):
    """The average is a copy, also before its first update."""
    before = weights(lab.model)
    average = WeightAverage(lab.model)
    move(lab.model, 0)
    with average.swapped_in(lab.model):
        assert_identical(weights(lab.model), before)


def test_a_stored_average_goes_on_bit_for_bit(lab):
    model = lab.model
    average, _ = followed(model, 0.9, 5)
    stored = {name: tensor.clone() for name, tensor in average.tensors().items()}
    other = lab.new_model(seed=1)
    other.load_state_dict(model.state_dict())
    continued = WeightAverage(other, 0.9)
    continued.restore(stored, n_updates=5)
    for one, its in ((model, average), (other, continued)):
        move(one, 9)
        its.update(one)
    assert_identical(continued.tensors(), average.tensors())
    assert continued.n_updates == 6


def test_a_state_without_an_average_is_refused(lab):
    with pytest.raises(AblateError, match=r"no averaged weights: average\.embedding\.weight"):
        WeightAverage(lab.model).restore({}, n_updates=5)


def test_training_evaluates_the_average_and_ends_with_it(lab):
    config = lab.config({"steps": 6}, evaluations=2, ema=0.5)
    plain, averaged = lab.new_model(), lab.new_model()
    states = []
    for _ in lab.train(lab.config({"steps": 6}, evaluations=2), plain):
        states.append(weights(plain))
    points = list(lab.train(config, averaged))
    expected = states[0]
    for k, state in enumerate(states[1:], start=2):
        share = max(0.5, 1 / k)
        expected = {n: (1 - share) * expected[n] + share * state[n] for n in state}
    assert_equal(weights(averaged), expected)
    assert points[-1].evaluation.val_loss == pytest.approx(lab.evaluator(averaged).val_loss)


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_bounds_is_refused(lab, decay):
    with pytest.raises(ValueError, match="decay must be from 0 to below 1"):
        WeightAverage(lab.model, decay)
