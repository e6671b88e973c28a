"""The order of trials: fronts first, the lonely before the crowded."""

import numpy as np

from harness.search.ranking import fronts, order


def test_one_objective_is_sorted_and_ties_keep_their_place():
    assert order([[3.0], [1.0], [2.0], [1.0]]) == [1, 3, 2, 0]


def test_fronts_are_those_that_nothing_dominates_one_after_the_other():
    points = np.array([[1, 4], [2, 2], [4, 1], [2, 4], [4, 4], [1, 4]], dtype=float)
    assert fronts(points).tolist() == [0, 0, 0, 1, 2, 0]


def test_fronts_agree_with_their_definition():
    rng = np.random.default_rng(0)
    points = rng.integers(0, 6, (40, 3)).astype(float)
    ranks = fronts(points)
    for i, point in enumerate(points):
        above = [
            ranks[j]
            for j, other in enumerate(points)
            if (other <= point).all() and (other < point).any()
        ]
        assert ranks[i] == max(above, default=-1) + 1


def test_within_a_front_the_ends_come_first_and_the_crowded_last():
    front = [[0.0, 10.0], [1.0, 8.9], [1.1, 8.8], [5.0, 5.0], [10.0, 0.0]]
    ranked = order(front)
    assert set(ranked[:2]) == {0, 4}
    assert ranked[2] == 3


def test_a_loss_that_is_not_known_is_the_worst():
    assert order([[np.inf], [2.0]]) == [1, 0]
    assert order([[np.inf, 1.0], [2.0, 1.0], [3.0, 0.5]])[-1] == 0
