"""The front, its volume and the best trial are those that Optuna finds."""

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume
from optuna.visualization._hypervolume_history import _get_hypervolume_history_info
from studies import definition, events, optuna_study

from harness.analysis.study.front import best_so_far, finished, front
from harness.analysis.study.hypervolume import (
    hypervolume,
    hypervolume_history,
    hypervolume_of,
    reference_point,
    share_of_box,
)
from harness.analysis.study.objectives import Objective, objectives
from harness.analysis.study.trials import trials_table

ONE, TWO = ("val_bpb",), ("val_bpb", "kv_bytes")


def study(keys):
    defined, happened = definition(objectives=keys), events(keys)
    return trials_table(defined, happened), objectives(defined), optuna_study(defined, happened)


def test_the_front_is_that_of_optuna():
    trials, looked_for, theirs = study(TWO)
    ours = front(trials, looked_for)["number"].tolist()
    assert sorted(ours) == sorted(trial.number for trial in theirs.best_trials)
    assert len(ours) > 1
    assert ours[0] == front(trials, looked_for[:1])["number"].item()


def test_the_best_trial_is_that_of_optuna():
    trials, looked_for, theirs = study(ONE)
    assert front(trials, looked_for)["number"].tolist() == [theirs.best_trial.number]


def test_of_equal_trials_the_first_is_best():
    trials, looked_for, _ = study(ONE)
    trials["objective.val_bpb"] = trials["objective.val_bpb"].where(trials["status"] != "done", 1.0)
    first = trials[trials["status"] == "done"]["number"].iloc[0]
    assert front(trials, looked_for)["number"].tolist() == [first]


@pytest.mark.parametrize("status", ["pruned", "infeasible", "failed", "diverged", "duplicate"])
def test_only_trials_that_are_done_can_be_best(status):
    trials, looked_for, _ = study(ONE)
    best = front(trials, looked_for).index
    trials.loc[best, "status"] = status
    assert not set(front(trials, looked_for).index) & set(best)
    assert not set(finished(trials, looked_for).index) & set(best)


def test_what_is_maximised_is_best_where_it_is_highest():
    trials, _, _ = study(ONE)
    higher = [Objective("val_bpb", maximise=True)]
    known = trials[trials["status"] == "done"]["objective.val_bpb"]
    assert front(trials, higher)["objective.val_bpb"].item() == known.max()
    assert best_so_far(trials, higher[0])["best"].iloc[-1] == known.max()


def test_the_best_so_far_never_gets_worse_and_ends_at_the_best():
    trials, looked_for, _ = study(ONE)
    trace = best_so_far(trials, looked_for[0])
    assert trace["best"].is_monotonic_decreasing
    assert (trace["best"] <= trace["objective.val_bpb"]).all()
    assert trace["best"].iloc[-1] == front(trials, looked_for)["objective.val_bpb"].item()


@pytest.mark.parametrize("n_objectives", [1, 2, 3, 4])
def test_the_volume_is_that_of_optuna(n_objectives):
    rng = np.random.default_rng(n_objectives)
    for n_points in (1, 2, 12, 40):
        points = np.round(rng.uniform(0, 1.2, (n_points, n_objectives)), 1)  # with ties
        corner = np.ones(n_objectives)
        inside = points[(points <= corner).all(axis=1)]  # others are none of Optuna's business
        theirs = compute_hypervolume(inside, corner) if len(inside) else 0.0
        assert hypervolume(points, corner) == pytest.approx(theirs, rel=1e-12, abs=1e-15)


def test_the_volume_of_two_objectives_is_the_area_under_the_steps():
    points = np.array([[0.0, 0.5], [0.5, 0.0], [0.7, 0.7]])
    assert hypervolume(points, np.ones(2)) == 0.75
    assert hypervolume(points[:0], np.ones(2)) == 0


def test_the_history_of_the_volume_is_that_of_optuna():
    trials, looked_for, theirs = study(TWO)
    reference = reference_point(trials, looked_for)
    info = _get_hypervolume_history_info(theirs, np.array(reference))
    ours = hypervolume_history(trials, looked_for, reference)
    assert ours["number"].tolist() == info.trial_numbers
    assert ours["hypervolume"].tolist() == pytest.approx(info.values)
    assert ours["hypervolume"].iloc[-1] == hypervolume_of(trials, looked_for, reference)
    assert ours["hypervolume"].nunique() > 2


def test_the_reference_is_beyond_all_that_counts_and_depends_on_nothing_else():
    trials, looked_for, _ = study(TWO)
    reference = reference_point(trials, looked_for)
    known = finished(trials, looked_for)
    for one, value in zip(looked_for, reference, strict=True):
        worst, best = known[one.column].max(), known[one.column].min()
        assert value == pytest.approx(worst + 0.1 * (worst - best))
    spoilt = trials.copy()
    spoilt.loc[spoilt["status"] == "duplicate", [one.column for one in looked_for]] = 1e9
    assert reference_point(spoilt, looked_for) == reference
    assert reference_point(trials[:0], looked_for) is None


def test_one_trial_that_is_best_in_everything_fills_the_box():
    trials, looked_for, _ = study(TWO)
    reference = reference_point(trials, looked_for)
    assert 0 < share_of_box(trials, looked_for, reference) < 1
    best = front(trials, looked_for).index[0]
    trials.loc[best, [one.column for one in looked_for]] = [0.1, 1.0]
    assert share_of_box(trials, looked_for, reference) == pytest.approx(1)


def test_a_maximised_objective_turns_the_box_around():
    trials, looked_for, _ = study(TWO)
    reference = reference_point(trials, looked_for)
    turned = [Objective("val_bpb", maximise=True), looked_for[1]]
    mirrored = trials.assign(**{"objective.val_bpb": -trials["objective.val_bpb"]})
    assert reference_point(mirrored, turned) == [-reference[0], reference[1]]
    expected = hypervolume_of(trials, looked_for, reference)
    assert hypervolume_of(mirrored, turned, [-reference[0], reference[1]]) == expected
