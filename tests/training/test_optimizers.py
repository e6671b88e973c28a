"""What decays, and what the optimizer is told."""

import pytest
import torch

from harness.errors import ConfigError
from harness.training.optimizers import OPTIMIZER


def adamw(**options):
    return OPTIMIZER.build(OPTIMIZER.resolve({"name": "adamw", **options}))


def test_matrices_decay_and_vectors_do_not(lab):
    model = lab.new_model(norm="layer_norm")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert {p.ndim for p in model.parameters()} == {1, 2}
    optimizer = adamw(lr=0.5, weight_decay=0.2).build(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        shrunk = 0.9 if parameter.ndim == 2 else 1.0
        torch.testing.assert_close(parameter.detach(), shrunk * before[name], msg=name)


def test_every_parameter_is_optimized_once(lab):
    optimizer = adamw().build(lab.model)
    optimized = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(optimized) == sorted(id(p) for p in lab.model.parameters())


def test_options_reach_torch(lab):
    optimizer = adamw(lr=0.01, beta1=0.8, beta2=0.9, eps=1e-6).build(lab.model)
    for group in optimizer.param_groups:
        assert group["peak_lr"] == 0.01
        assert group["betas"] == (0.8, 0.9)
        assert group["eps"] == 1e-6


@pytest.mark.parametrize("options", [{"lr": 0}, {"lr": "fast"}, {"beta1": 1}, {"weight_decay": -1}])
def test_options_out_of_bounds_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        adamw(**options)
