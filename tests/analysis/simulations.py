"""How often the analysis is wrong, over thousands of simulated experiments of known truth.

The functions that judge real experiments (`judge_family`, `judge`, `Question`, `shared_error`) are
given arrays of thousands. Run this file for the table in `docs/verdicts.md`.
"""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from harness.analysis.statistics.blocks import Estimates, judge_family
from harness.analysis.statistics.power import Question
from harness.analysis.statistics.two_stage import seeds_wanted, stretched
from harness.analysis.verdicts.evaluation import shared_error

ALPHA = 0.05
RHOS, SEEDS, ARMS = (0.0, 0.5, 0.9), (4, 5, 10), (2, 5)
NOISE = {"equal": (), "noisy baseline": (0,), "noisy arm": (1,)}  # whose variance is 4 times


class Rate(NamedTuple):
    """What was found of what was tried."""

    what: str
    cell: str
    found: float
    tried: int

    @property
    def error(self) -> float:
        """Standard error, as if the truth were 5 %."""
        return math.sqrt(ALPHA * (1 - ALPHA) / self.tried)


def against_baseline(arms):
    return tuple(tuple(float(j == i) - float(j == 0) for j in range(arms)) for i in range(1, arms))


def equal_arms(rng, tried, arms, n, rho, noisy=()):
    """Return the values of arms of which none is better: (experiment, arm, seed)."""
    shared, own = rng.standard_normal((tried, 1, n)), rng.standard_normal((tried, arms, n))
    sds = np.where(np.isin(np.arange(arms), noisy), 2.0, 1.0)[:, None]
    return sds * (math.sqrt(rho) * shared + math.sqrt(1 - rho) * own)


def pair_among_strangers(rng, tried, n, arms=5, pair=(0, 1)):
    """Return values of arms that correlate by 0.1, but two of them by 0.9."""
    correlation = np.full((arms, arms), 0.1) + 0.9 * np.eye(arms)
    correlation[pair] = correlation[pair[::-1]] = 0.9
    return np.linalg.cholesky(correlation) @ rng.standard_normal((tried, arms, n))


def claims(found: Estimates, level=1 - ALPHA):
    """In which experiments any contrast is called better or worse."""
    return (np.abs(found.difference) > found.half_width(level)).any(axis=-1)


def misses(found: Estimates, truth, level=1 - ALPHA):
    """In which experiments any interval misses the true difference."""
    return (np.abs(found.difference - truth) > found.half_width(level)).any(axis=-1)


def false_claims(tried, arms=ARMS, seeds=SEEDS, rhos=RHOS) -> Iterator[Rate]:
    """Simulate equal arms: an experiment is wrong if any contrast is called."""
    cells = itertools.product(arms, seeds, rhos, NOISE)
    for index, (k, n, rho, noise) in enumerate(cells):
        values = equal_arms(np.random.default_rng(index), tried, k, n, rho, NOISE[noise])
        wrong = claims(judge_family(values, against_baseline(k)))
        yield Rate(f"false claims, {noise}", f"{k} arms, n={n}, rho={rho}", wrong.mean(), tried)


def false_claims_among_strangers(tried, seeds=SEEDS) -> Iterator[Rate]:
    """Simulate arms that are not equally correlated."""
    for n, pair in itertools.product(seeds, ((0, 1), (1, 2))):
        values = pair_among_strangers(np.random.default_rng(n), tried, n, pair=pair)
        wrong = claims(judge_family(values, against_baseline(5)))
        whose = "baseline and an arm" if pair == (0, 1) else "two arms"
        yield Rate("false claims, one rho of 0.9", f"{whose}, n={n}", wrong.mean(), tried)


def coverage(tried, arms=ARMS, seeds=SEEDS) -> Iterator[Rate]:
    """Simulate arms that differ: all intervals of a family are to cover."""
    for k, n in itertools.product(arms, seeds):
        effects = np.linspace(0.0, 3.0, k)
        values = equal_arms(np.random.default_rng(n), tried, k, n, 0.5) + effects[:, None]
        missed = misses(judge_family(values, against_baseline(k)), effects[1:])
        yield Rate("coverage", f"{k} arms, n={n}", 1 - missed.mean(), tried)


def false_equality(tried, arms=ARMS, seeds=SEEDS) -> Iterator[Rate]:
    """Simulate arms that differ by the margin exactly: none may be called practically equal."""
    for k, n, size in itertools.product(arms, seeds, (1.0, 4.0)):
        margin = size * math.sqrt(2 / n)  # in standard errors of a difference
        truth = margin * np.resize([1.0, -1.0], k - 1)
        values = equal_arms(np.random.default_rng(n), tried, k, n, 0.0)
        values[:, 1:] += truth[:, None]
        found = judge_family(values, against_baseline(k))
        equal = np.abs(found.difference) + found.half_of_narrow(ALPHA) < margin
        cell = f"{k} arms, n={n}, margin of {size:g} standard errors"
        yield Rate("false 'practically equal'", cell, equal.any(axis=-1).mean(), tried)


def shared_documents(tried, arms=(2, 5), seeds=SEEDS, documents=32) -> Iterator[Rate]:
    """Simulate an error by the choice of documents, as large as that by seeds, and smaller."""
    for k, n, size in itertools.product(arms, seeds, (1 / 3, 1.0)):
        wrong = [
            _wrong_by_documents(np.random.default_rng([n, chunk]), 500, k, n, size, documents)
            for chunk in range(tried // 500)
        ]
        without, widened = np.concatenate(wrong, axis=1).mean(axis=1)
        cell = f"{k} arms, n={n}, {size:.2g} of the seeds' error"
        yield Rate("false claims by documents, not widened", cell, without, tried)
        yield Rate("false claims by documents", cell, widened, tried)


def _wrong_by_documents(rng, tried, arms, n, size, documents):
    """Losses of documents: of the seed, of arm and document, and of all three."""
    of_document = rng.standard_normal((tried, arms, 1, documents)) * size * math.sqrt(documents / n)
    of_seed = rng.standard_normal((tried, arms, n, 1))
    rest = 0.3 * rng.standard_normal((tried, arms, n, documents))
    losses = of_seed + of_document + rest
    influence = losses[:, 1:] - losses[:, :1]
    influence = influence - influence.mean(axis=(-2, -1), keepdims=True)
    values, contrasts = losses.mean(axis=-1), against_baseline(arms)
    widened = judge_family(
        values, contrasts, evaluation_error=shared_error(influence), documents=documents
    )
    return claims(judge_family(values, contrasts)), claims(widened)


def two_stages(tried, arms=ARMS, pilots=(4, 5), most=40) -> Iterator[Rate]:
    """Simulate the two-stage rule: as many seeds as the pilot's variance asks for."""
    for k, pilot, resolve in itertools.product(arms, pilots, (0.8, 1.6)):
        values = equal_arms(np.random.default_rng(pilot), tried, k, most, 0.5)
        contrasts = against_baseline(k)
        n = seeds_wanted(judge_family(values[..., :pilot], contrasts), ALPHA, resolve, pilot, most)
        missed = []
        for m in np.unique(n):
            found = judge_family(values[n == m][..., :m], contrasts, pilot=pilot)
            missed.append(misses(stretched(found, ALPHA, resolve) if m > pilot else found, 0.0))
        cell = f"{k} arms, pilot={pilot}, resolve={resolve:g} sd, {n.mean():.1f} seeds"
        yield Rate("coverage, two stages", cell, 1 - np.concatenate(missed).mean(), tried)


def power(tried, arms=ARMS, seeds=SEEDS) -> Iterator[tuple[Rate, float]]:
    """Simulate a planned difference in one arm; yield how often it is found, and the prediction."""
    cells = itertools.product(arms, seeds, NOISE, (1.0, 2.0))
    for index, (k, n, noise, size) in enumerate(cells):
        values = equal_arms(np.random.default_rng(index), tried, k, n, 0.5, NOISE[noise])
        contrasts = against_baseline(k)
        variances = np.where(np.isin(np.arange(k), NOISE[noise]), 4.0, 1.0)
        sds = np.sqrt(variances[1:] + variances[0] - np.sqrt(variances[1:] * variances[0]))
        effect = size * sds[0]
        values[:, 1] += effect
        found = judge_family(values, contrasts)
        rate = (found.difference - found.half_width(1 - ALPHA))[:, 0] > 0
        predicted = Question(contrasts, 0, tuple(sds.tolist()), ALPHA).power(effect, n)
        cell = f"{k} arms, n={n}, {noise}, {size:g} sd of the difference"
        yield Rate("power", cell, rate.mean(), tried), predicted


def alternatives(tried, arms=5, seeds=SEEDS) -> Iterator[Rate]:
    """Simulate what is not done: one pooled variance, pooling after a pretest, only own variances.

    Critical values are quantiles over equal arms; the pretest pools where heterogeneity (the
    largest over the mean variance) is below its median over equal arms.
    """
    for n in seeds:
        equal = _statistics(equal_arms(np.random.default_rng(0), 5 * tried, arms, n, 0.0))
        limits = {how: np.quantile(equal[how], 1 - ALPHA) for how in ("own", "pooled")}
        homogeneous = np.median(equal["heterogeneity"])
        for rho, noise in itertools.product((0.5, 0.9), ("noisy baseline", "noisy arm")):
            rng = np.random.default_rng(1)
            found = _statistics(equal_arms(rng, tried, arms, n, rho, NOISE[noise]))
            wrong = {how: found[how] > limit for how, limit in limits.items()}
            pools = found["heterogeneity"] < homogeneous
            wrong["pretest"] = np.where(pools, wrong["pooled"], wrong["own"])
            for how, claims_of in wrong.items():
                cell = f"{noise}, {arms} arms, n={n}, rho={rho}"
                yield Rate(f"not used: {how} variance", cell, claims_of.mean(), tried)


def widths(tried, arms=5, seeds=SEEDS) -> Iterator[tuple[int, float, float]]:
    """Half an interval in true standard errors, on average: as judged, and by own variances."""
    for n in seeds:
        values = equal_arms(np.random.default_rng(0), tried, arms, n, 0.0)
        judged = judge_family(values, against_baseline(arms)).half_width(1 - ALPHA)
        own = _statistics(values)
        alone = np.quantile(own["own"], 1 - ALPHA) * np.sqrt(own["own variance"] / n)
        yield n, judged.mean() / math.sqrt(2 / n), alone.mean() / math.sqrt(2 / n)


def _statistics(values):
    """Return the largest |t| with own and with pooled variances, and how unlike variances are."""
    n = values.shape[-1]
    differences = values[:, 1:] - values[:, :1]
    own = differences.var(axis=-1, ddof=1)
    rest = values - values.mean(axis=1, keepdims=True)
    pooled = 2 * np.square(rest - rest.mean(axis=2, keepdims=True)).sum(axis=(1, 2))
    pooled = pooled[:, None] / ((values.shape[1] - 1) * (n - 1))
    size = np.abs(differences.mean(axis=-1)) * math.sqrt(n)
    return {
        "own": (size / np.sqrt(own)).max(axis=1),
        "pooled": (size / np.sqrt(pooled)).max(axis=1),
        "heterogeneity": own.max(axis=1) / own.mean(axis=1),
        "own variance": own,
    }


def main(tried=20_000):
    rates = (false_claims, false_claims_among_strangers, coverage, false_equality, two_stages)
    for simulate in (*rates, shared_documents, alternatives):
        for rate in simulate(tried):
            print(f"{rate.what:40s} {rate.cell:48s} {100 * rate.found:6.2f} %")
    for n, judged, alone in widths(tried):
        print(f"half an interval, 5 arms, n={n}: {judged:.2f} standard errors, {alone:.2f} by own")
    for rate, predicted in power(tried):
        found, said = 100 * rate.found, 100 * predicted
        print(f"{rate.what:40s} {rate.cell:48s} {found:6.1f} %, predicted {said:.1f} %")


if __name__ == "__main__":
    main()
