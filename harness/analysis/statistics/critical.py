"""How large the largest t of a family of contrasts is when no arm differs.

A single-step procedure: one distribution, that of max |t| over the family, gives the critical value
of every interval and every adjusted p, so that p < alpha exactly where an interval excludes 0, and
all intervals hold together. Holm's steps would find a little more, but have no such intervals.

Variances are moderated: that of a contrast counts two thirds, the mean over the family one third,
of which at most four times the contrast's own counts. One variance pooled over the block model, the
residual one of all arms and seeds, claims up to 15 % falsely where arms are not equally noisy
(variance ratio 4, five arms), also after a pretest, because few seeds hardly show it; and arms are
not: pairs correlate by 0.1 and by 0.9 side by side, and arms that share their training by 1.
Variances of their own claim 5 %, with intervals wider by 27 % at four seeds. A third keeps most of
what pooling gains and is bounded on either side: a standard error lies between 0.8 and 1.42 times
the contrast's own. `docs/verdicts.md` has the figures.

Source: C. W. Dunnett, "A multiple comparison procedure for comparing several treatments with a
control", JASA 50 (1955) 1096-1121, for the distribution; G. K. Smyth, "Linear models and empirical
Bayes methods for assessing differential expression", Stat. Appl. Genet. Mol. Biol. 3 (2004) 3, for
moderated variances. What differs: the weight is fixed instead of estimated, and the distribution is
simulated for it (compound symmetry: equal variances and correlations of arms), with a fixed seed.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.interpolate import PchipInterpolator

Array = NDArray[np.float64]
Contrasts = tuple[tuple[float, ...], ...]
"""Each a weight for every arm; the weights add up to 0."""

BORROWED = 1 / 3
"""Weight of the family's mean in each variance."""
MOST_BORROWED = 4.0
"""Times a variance of its own: a quiet contrast is not drowned by a noisy family."""

_DRAWS, _CHUNK = 2**16, 2**12
_TAIL, _GROUP, _BINS = 2**9, 2**7, 2**9
SMALLEST_P = 1e-5
"""Below it the draws are too few to tell."""
_LOG_ALPHAS = np.linspace(np.log(SMALLEST_P), 0.0, 2**12)


@dataclass(frozen=True)
class Reference:
    """The distribution of max |t| of a family whose variances come from `n` seeds."""

    n: int
    with_seeds: Array
    """Critical values at each of the tabulated levels, falling."""
    with_known: Array
    """The same if the variances were known."""
    each_with_seeds: Array
    """Critical values at which so many contrasts are beyond them on average."""
    each_with_known: Array
    variances: Array
    """Draws of the contrasts' own variances over the true ones: (draw, contrast)."""

    def critical(self, alpha: float, share: Array | float = 1.0) -> Array:
        """Return the critical value at which the family's chance of a false claim is `alpha`.

        Args:
            alpha: The chance.
            share: The degrees of freedom of the seeds over those of a standard error of which only
                a part comes from seeds, 1 if all of it does. Critical values are convex in
                1 / degrees of freedom, so that the line between both ends errs on the wide side.
        """
        return _between(alpha, self.with_known, self.with_seeds, share)

    def one_sided(self, alpha: float, share: Array | float = 1.0) -> Array:
        """Return the critical value of one-sided tests, one a contrast, on either side.

        Bonferroni's: with contrasts that share a baseline and are tested on different sides, a
        two-sided critical value at twice `alpha` lets a false claim pass too often.
        """
        return _between(2 * alpha, self.each_with_known, self.each_with_seeds, share)

    def p_value(self, t: float, share: float = 1.0) -> float:
        """Return the adjusted p of a t: the `alpha` whose critical value it is."""
        critical = self.with_known + (self.with_seeds - self.with_known) * share
        return float(np.exp(np.interp(abs(t), critical[::-1], _LOG_ALPHAS[::-1])))


@lru_cache(maxsize=256)
def reference(contrasts: Contrasts, n: int) -> Reference:
    """Simulate the reference distribution of a family; the same every time, to three digits."""
    correlated = _root(contrasts)
    if correlated.shape == (1, 1):  # Student's t: no simulation
        tail = np.exp(_LOG_ALPHAS) / 2
        middle = (np.arange(_BINS) + 0.5) / _BINS
        variances = special.chdtri(n - 1, 1 - middle)[:, None] / (n - 1)
        known, seeds = -special.ndtri(tail), -special.stdtrit(n - 1, tail)
        return Reference(n, seeds, known, seeds, known, variances)
    rank = correlated.shape[1]
    rng, found = np.random.default_rng(0), []
    for _ in range(_DRAWS // _CHUNK):
        noise = rng.standard_normal((_CHUNK, n - 1, rank)) @ correlated.T
        variances = (noise**2).mean(axis=1)
        direction = rng.standard_normal((_CHUNK, rank))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        sizes = np.abs(direction @ correlated.T)
        found.append((sizes, sizes / np.sqrt(moderated(variances))))
    known, seeds = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Reference(
        n=n,
        with_seeds=_critical_values(seeds.max(axis=1), rank),
        with_known=_critical_values(known.max(axis=1), rank),
        each_with_seeds=_critical_values(seeds.ravel(), rank, each_of=len(contrasts)),
        each_with_known=_critical_values(known.ravel(), rank, each_of=len(contrasts)),
        variances=variances,
    )


def moderated(variances: Array) -> Array:
    """Return variances of contrasts (on the last axis), each drawn towards their mean."""
    mean = variances.mean(axis=-1, keepdims=True)
    return (1 - BORROWED) * variances + BORROWED * np.minimum(mean, MOST_BORROWED * variances)


def _root(contrasts: Contrasts) -> Array:
    """Return a root of the correlation matrix of contrasts of equally noisy arms."""
    unit = np.array(contrasts) / np.linalg.norm(contrasts, axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(unit @ unit.T)
    kept = values > 1e-9  # contrasts may depend on each other: a - b, b - c, a - c
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def _between(alpha: float, known: Array, seeds: Array, share: Array | float) -> Array:
    at_known, at_seeds = (np.interp(np.log(alpha), _LOG_ALPHAS, c) for c in (known, seeds))
    return np.asarray(at_known + (at_seeds - at_known) * share)


def _critical_values(largest: Array, rank: int, each_of: int = 1) -> Array:
    """Return the critical value at each level.

    A normal vector is a direction times a length that is independent of it and known in
    distribution (chi): only directions are drawn, lengths are integrated.

    Args:
        largest: The largest |t| of draws of unit length.
        rank: How many dimensions there are.
        each_of: How many contrasts there are, if the draws are of all and not of the largest: then
            a level is of how many are beyond the critical value on average.
    """
    largest = np.sort(largest)
    body = largest[:-_TAIL].reshape(-1, _GROUP).mean(axis=1)  # far from the tail, few will do
    points = np.concatenate([body, largest[-_TAIL:]])
    weights = np.concatenate([np.full(len(body), (len(largest) - _TAIL) / len(body)), [1] * _TAIL])
    critical = np.geomspace(2e-2, 1e5, 180)
    beyond = special.chdtrc(rank, (critical[:, None] / points) ** 2) @ weights
    beyond *= each_of / len(largest)
    there = beyond > SMALLEST_P / 10
    logs = np.log(beyond[there])[::-1]
    rising = np.concatenate([[True], np.diff(logs) > 0])  # all of 1 at the other end
    of_log = PchipInterpolator(logs[rising], np.log(critical[there])[::-1][rising])
    return np.exp(of_log(np.clip(_LOG_ALPHAS, logs[0], logs[rising][-1])))
