"""What is tried, chosen and reported follows from losses alone."""

import math

import pytest

from harness.experiments.planning.tuning import extend_report, search_grid
from harness.experiments.question.tuned_settings import draws
from harness.experiments.question.tuning_config import Grid, Range, Space, read_tune

KEY = "train.optimizer.lr"
GRID = Grid(KEY, 2.0, 4, 4)


def loss_around(best, known=lambda rate: True):
    """Return a loss that is lowest at a rate, where it is known."""
    return lambda setting: abs(math.log2(setting[KEY] / best)) if known(setting[KEY]) else None


def rates(settings):
    return [setting[KEY] for setting in settings]


def test_the_first_grid_is_asked_for_at_once():
    found = search_grid(GRID, 4e-3, loss_around(4e-3, lambda rate: False), fitted=True)
    assert rates(found.tried) == [1e-3, 2e-3, 4e-3, 8e-3]
    assert found.chosen is None and not found.report


def test_one_missing_loss_keeps_the_choice_open():
    found = search_grid(GRID, 4e-3, loss_around(4e-3, lambda rate: rate != 1e-3), fitted=True)
    assert found.chosen is None


@pytest.mark.parametrize(
    ("best", "report"), [(2e-3, [1.41e-3, 2e-3, 2.83e-3]), (4e-3, [2.83e-3, 4e-3, 5.66e-3])]
)
def test_the_best_within_the_grid_is_chosen_and_reported_with_half_a_step_around(best, report):
    found = search_grid(GRID, 4e-3, loss_around(best), fitted=True)
    assert found.chosen == {KEY: best} and found.edge is None
    assert rates(found.report) == report
    assert len(found.tried) == 4


@pytest.mark.parametrize(
    ("losses", "report"),
    [
        ((1.9, 1.787, 1.747, 1.751), [4e-3, 5.66e-3, 8e-3]),
        ((1.9, 1.751, 1.747, 1.750), [2.83e-3, 4e-3, 5.66e-3]),
        ((1.9, 1.748, 1.747, 1.950), [2e-3, 2.83e-3, 4e-3]),
        ((1.9, 1.748, 1.747, math.inf), [2e-3, 2.83e-3, 4e-3]),
        ((1.9, math.inf, 1.747, 1.748), [4e-3, 5.66e-3, 8e-3]),
        ((1.9, 1.747, 1.747, 1.747), [2e-3, 2.83e-3, 4e-3]),
    ],
)
def test_the_report_is_around_the_optimum_that_the_trials_show(losses, report):
    """Where one side rises steeply, or diverged, it stays away from there."""
    by_rate = dict(zip([1e-3, 2e-3, 4e-3, 8e-3], losses, strict=True))
    found = search_grid(GRID, 4e-3, lambda setting: by_rate[setting[KEY]], fitted=True)
    assert rates(found.report) == report
    assert found.chosen in found.report


def test_the_grid_grows_by_one_point_beyond_the_side_of_the_best():
    known = {1e-3, 2e-3, 4e-3, 8e-3}
    found = search_grid(GRID, 4e-3, loss_around(0.03, known.__contains__), fitted=True)
    assert rates(found.tried) == [1e-3, 2e-3, 4e-3, 8e-3, 0.016]
    known = {1e-3, 2e-3, 4e-3, 8e-3}
    found = search_grid(GRID, 4e-3, loss_around(1e-4, known.__contains__), fitted=True)
    assert rates(found.tried) == [1e-3, 2e-3, 4e-3, 8e-3, 5e-4]


@pytest.mark.parametrize(("best", "n_tried"), [(0.016, 6), (0.032, 7), (0.064, 8), (5e-4, 6)])
def test_it_grows_until_the_best_lies_within(best, n_tried):
    found = search_grid(GRID, 4e-3, loss_around(best), fitted=True)
    assert found.chosen == {KEY: best} and len(found.tried) == n_tried and found.edge is None


@pytest.mark.parametrize(("best", "edge"), [(10.0, 0.128), (1e-7, 6.25e-5)])
def test_it_grows_no_more_often_than_allowed_and_then_is_at_an_edge(best, edge):
    found = search_grid(GRID, 4e-3, loss_around(best), fitted=True)
    assert len(found.tried) == 8
    assert found.edge == found.chosen == {KEY: edge}
    assert rates(found.report) == [edge]


def test_where_everything_diverges_lower_rates_are_tried():
    found = search_grid(GRID, 4e-3, lambda setting: math.inf, fitted=True)
    assert rates(found.tried)[4:] == [5e-4, 2.5e-4, 1.25e-4, 6.25e-5]
    assert found.edge == {KEY: 6.25e-5}


def test_the_best_alone_is_reported_if_nothing_is_fitted():
    found = search_grid(GRID, 4e-3, loss_around(2e-3), fitted=False)
    assert rates(found.report) == [2e-3]


START = 4e-3
CHOSEN = search_grid(GRID, START, loss_around(START), fitted=True)
REPORT = [2.83e-3, 4e-3, 5.66e-3]


def report_around(best, known=lambda rate: True):
    one = loss_around(best, known)
    noise = (0.0, 0.01, 0.02, 0.03)

    def losses(setting):
        loss = one(setting)
        return None if loss is None else [loss * (1 + share) for share in noise]

    return losses


def test_a_report_with_the_best_in_its_middle_stays_as_it_is():
    assert rates(extend_report(GRID, START, CHOSEN, report_around(4e-3)).report) == REPORT


def test_a_report_that_is_not_done_stays_as_it_is():
    waiting = report_around(0.1, lambda rate: rate < 5e-3)
    assert rates(extend_report(GRID, START, CHOSEN, waiting).report) == REPORT


def test_a_report_grows_by_half_steps_towards_what_is_better():
    found = extend_report(GRID, START, CHOSEN, report_around(0.01))
    assert rates(found.report) == [*REPORT, 8e-3, 0.0113, 0.016] and found.edge is None
    found = extend_report(GRID, START, CHOSEN, report_around(1.5e-3))
    assert rates(found.report) == [1e-3, 1.41e-3, 2e-3, *REPORT]
    asked_for = extend_report(GRID, START, CHOSEN, report_around(0.01, lambda rate: rate < 7e-3))
    assert rates(asked_for.report) == [*REPORT, 8e-3]


def test_a_report_that_may_not_grow_further_is_at_an_edge():
    found = extend_report(GRID, START, CHOSEN, report_around(10.0))
    assert len(found.report) == 3 + GRID.extend and found.edge == {KEY: 0.0226}
    fixed = Grid(KEY, 2.0, 4, 0)
    found = extend_report(fixed, START, CHOSEN, report_around(1e-3))
    assert len(found.report) == 3 and found.edge == {KEY: 2.83e-3}


def test_draws_are_the_same_every_time_and_fill_their_ranges():
    space = Space({KEY: Range(1e-3, 1e-1, log=True), "train.ema": Range(0.0, 1.0, log=False)}, 64)
    found = draws(space)
    assert found == draws(space)
    logs = sorted(math.log10(rate) for rate in rates(found))
    assert logs[0] < -2.9 and logs[-1] > -1.1
    assert 28 <= sum(log < -2 for log in logs) <= 36  # half of the draws in half of the logarithms
    assert 28 <= sum(setting["train.ema"] < 0.5 for setting in found) <= 36


def test_what_is_left_out_has_its_default():
    tune = read_tune({KEY: None})
    assert tune.search == GRID
    assert tune.seeds == (1_000_000, 1_000_001) and tune.protocol == "fitted"
