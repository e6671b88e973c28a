"""A branch ends as a whole run of its budget does, and leaves no trace in the training."""

import pytest

from harness.errors import ConfigError

WSD = {"name": "wsd", "warmup": 0.1, "decay": 0.4}


def trained(lab, n_steps, **schedule):
    config = lab.config({"steps": n_steps}, schedule={**WSD, **schedule}, evaluations=4)
    return list(lab.train(config, lab.new_model(dropout=0.2)))


def branches(points):
    return {name: end for point in points for name, end in point.branches.items()}


def test_a_branch_ends_as_a_run_of_its_budget(lab):
    found = branches(trained(lab, 20, branch_at=[0.5, 0.75]))
    assert found.keys() == {"at_0.5", "at_0.75"}
    for name, n_steps, warmup in (("at_0.5", 10, 0.2), ("at_0.75", 15, 2 / 15)):
        alone = trained(lab, n_steps, warmup=warmup)[-1]
        assert found[name]["val_loss"] == pytest.approx(alone.evaluation.val_loss, rel=1e-6)
        assert (found[name]["tokens"], found[name]["flops"]) == (alone.tokens, alone.flops)


def test_the_training_goes_on_as_if_there_had_been_no_branch(lab):
    def seen(points):
        return [(p.step, p.train_loss, p.grad_norm, p.lr, p.evaluation) for p in points]

    assert seen(trained(lab, 20, branch_at=[0.3, 0.5])) == seen(trained(lab, 20))


def test_branches_whose_decays_begin_at_the_same_step_are_all_followed(lab):
    points = trained(lab, 20, branch_at=[0.51, 0.52])
    (point,) = [point for point in points if point.branches]
    assert (point.step, [*point.branches]) == (7, ["at_0.51", "at_0.52"])


@pytest.mark.parametrize(
    ("branch_at", "message"),
    [
        ([0.5, 0.5], "branch_at must rise"),
        ([0.15], "branch_at 0.15 is too early: its decay would begin at 0.09, in the warmup"),
        ([1.0], "less than 1"),
    ],
)
def test_branches_that_do_not_fit_are_refused(lab, branch_at, message):
    with pytest.raises(ConfigError, match=message):
        lab.config(schedule={**WSD, "branch_at": branch_at})
