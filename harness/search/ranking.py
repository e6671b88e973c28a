"""Which of several trials are better, by one objective or by several."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def order(losses: Sequence[Sequence[float]]) -> list[int]:
    """Return the indices from the best to the worst: less is better in every column.

    By how many fronts have to be taken away before a point is on one; within a front by how lonely
    it is; then by place. With one objective that is sorting.

    Source:
        Deb, Pratap, Agarwal, Meyarivan 2002, "A fast and elitist multiobjective genetic algorithm:
        NSGA-II", IEEE Trans. Evol. Comput. 6(2), doi:10.1109/4235.996017: non-dominated sorting
        and crowding distance.
    """
    points = np.asarray(losses, dtype=float).reshape(len(losses), -1)
    ranks = fronts(points)
    lonely = np.zeros(len(points))
    for rank in np.unique(ranks):
        members = np.flatnonzero(ranks == rank)
        lonely[members] = _crowding(points[members])
    return sorted(range(len(points)), key=lambda i: (ranks[i], -lonely[i], i))


def fronts(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each point the number of its front, from 0 on."""
    ranks = np.full(len(points), -1)
    no_worse = np.all(points[:, None, :] <= points[None, :, :], axis=-1)
    better = np.any(points[:, None, :] < points[None, :, :], axis=-1)
    dominates: NDArray[np.bool_] = np.logical_and(no_worse, better)
    rank = 0
    while np.any(left := ranks < 0):
        ranks[left & ~np.any(dominates[left], axis=0)] = rank
        rank += 1
    return ranks


def _crowding(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean side of the box between neighbours; the ends of each objective are lonely."""
    distance = np.zeros(len(points))
    if points.shape[1] == 1:  # equal losses: none is lonelier
        return distance
    for column in points.T:
        place = np.argsort(column, kind="stable")
        ordered = column[place]
        distance[place[[0, -1]]] = np.inf
        if len(points) > 2 and np.isfinite(ordered).all() and ordered[-1] > ordered[0]:
            distance[place[1:-1]] += (ordered[2:] - ordered[:-2]) / (ordered[-1] - ordered[0])
    return distance
