"""An order of many windows is a permutation like that of a few, and takes no memory."""

import numpy as np
import pytest

from harness.data import shuffle
from harness.data.randomness import generator
from harness.data.shuffle import LARGE, shuffled


@pytest.fixture
def everything_is_large(monkeypatch):
    monkeypatch.setattr(shuffle, "LARGE", 0)


def test_orders_of_few_are_those_that_runs_were_trained_with():
    expected = generator(3, "order", 1).permutation(1000)
    assert shuffled(40, 8, 1000, 3, 1).tolist() == expected[40:48].tolist()
    assert shuffled(0, 8, LARGE - 1, 0, 0).tolist() == [
        *generator(0, "order", 0).permutation(LARGE - 1)[:8]
    ]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 16, 17, 255, 1000, 4097])
def test_every_thing_has_one_place(everything_is_large, n):
    assert sorted(shuffled(0, n, n, 7, 2)) == list(range(n))


def test_a_part_is_the_part_of_the_whole(everything_is_large):
    whole = shuffled(0, 1000, 1000, 7, 2)
    assert shuffled(0, 1001, 1000, 7, 2).tolist() == whole.tolist()
    for first in (0, 1, 500, 992):
        assert shuffled(first, 8, 1000, 7, 2).tolist() == whole[first : first + 8].tolist()


def test_seeds_and_epochs_have_orders_of_their_own(everything_is_large):
    orders = [shuffled(0, 5000, 5000, seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    orders.append(np.arange(5000))
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert (one == other).sum() <= 8  # 1 is expected by chance
            assert abs(np.corrcoef(one, other)[0, 1]) < 0.06


def test_places_are_as_random_as_chance(everything_is_large):
    """Of 64 x 64 cells of (place, thing), none has too many: chi-squared over seeds."""
    n, cells = 2**16, 64
    for seed in range(3):
        order = shuffled(0, n, n, seed, 0)
        counts, *_ = np.histogram2d(np.arange(n), order, bins=cells)
        expected = n / cells**2
        chi = ((counts - expected) ** 2 / expected).sum()
        freedom = (cells - 1) ** 2
        assert abs(chi - freedom) < 5 * (2 * freedom) ** 0.5
        steps = np.diff(order)
        assert abs(np.corrcoef(steps[:-1], steps[1:])[0, 1] + 0.5) < 0.02  # as of any shuffle


def test_large_orders_use_the_whole_range():
    n = 3 * LARGE
    found = shuffled(n - 2000, 2000, n, 0, 0)
    assert len(set(found.tolist())) == 2000
    assert 0 <= found.min() < n / 200 and n - n / 200 < found.max() < n
