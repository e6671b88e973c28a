"""What a study cost is the sum over its trials, and what pruning saved follows from fractions."""

import pytest
from studies import FULL_FLOPS, FULL_SECONDS, definition, events

from harness.analysis.study.spent import spent
from harness.analysis.study.trials import trials_table

DONE, HALVES, TENTHS = 13, 3, 2


def test_work_is_summed_over_all_trials_also_those_that_failed():
    found = spent(trials_table(definition(), events()))
    trainings = DONE + HALVES / 2 + TENTHS / 10
    assert found.flops == pytest.approx(trainings * FULL_FLOPS)
    assert found.full_trainings == pytest.approx(trainings)
    assert found.seconds == pytest.approx(FULL_SECONDS * (DONE + HALVES / 2) + 3 * TENTHS)


def test_pruning_saves_what_was_left_to_do():
    found = spent(trials_table(definition(), events()))
    assert found.saved_flops == pytest.approx(HALVES / 2 * FULL_FLOPS)
    assert found.share == pytest.approx(found.flops / (found.flops + HALVES / 2 * FULL_FLOPS))


def test_trials_of_different_cost_each_count_by_their_own_budget():
    trials = trials_table(definition(), events())
    trials.loc[trials["status"] == "pruned", "flops"] *= 10
    found = spent(trials)
    assert found.saved_flops == pytest.approx(10 * HALVES / 2 * FULL_FLOPS)
    assert found.full_trainings == pytest.approx(DONE + HALVES / 2 + TENTHS / 10)


def test_nothing_costs_nothing():
    found = spent(trials_table(definition(), []))
    assert (found.flops, found.full_trainings, found.saved_flops) == (0, 0, 0)
    assert found.share is None


def test_a_trial_that_waits_at_a_rung_has_saved_nothing():
    trials = trials_table(definition(), events())
    trials.loc[trials["status"] == "pruned", "status"] = "queued"
    found = spent(trials)
    assert found.saved_flops == 0
    assert found.full_trainings == pytest.approx(DONE + HALVES / 2 + TENTHS / 10)
