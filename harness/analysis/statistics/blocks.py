"""Seeds as blocks: the differences of a family of contrasts, their errors and joint intervals.

The value of an arm at a seed is an effect of the arm, one of the seed, which all arms share, and
noise. Contrasts are taken within seeds, so the seed's effect drops out. Arrays may have any number
of leading dimensions: an experiment has none, a simulation has one for its thousands.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.analysis.statistics.critical import Array, Contrasts, Reference, moderated, reference

PLUGGED_IN = 3 / 2
"""Satterthwaite squares the seeds' part of the variance. It is estimated from the same few seeds,
and squared it claims 6.1 % falsely (four seeds, five arms, a third of the error from documents)."""


@dataclass(frozen=True)
class Estimates:
    """Of contrasts that are judged together; arrays have an entry for each on their last axis."""

    difference: Array
    sd: Array
    """Of a contrast's own values over the seeds."""
    seed_error: Array
    """Standard error that comes from the seeds, from the moderated variance."""
    evaluation_error: Array
    """Standard error that comes from the choice of held-out documents."""
    share: Array
    """Degrees of freedom of the seeds over those of the whole error."""
    reference: Reference

    @property
    def error(self) -> Array:
        """The standard error of each difference."""
        return np.hypot(self.seed_error, self.evaluation_error)

    def half_width(self, level: float) -> Array:
        """Return half the width of each interval, all of which hold together at `level`."""
        return self.reference.critical(1 - level, self.share) * self.error

    def half_of_narrow(self, alpha: float) -> Array:
        """Return half the width of each interval for two one-sided tests at `alpha`.

        At a level of `1 - 2 alpha` all of them hold together, and a little more often.
        """
        return self.reference.one_sided(alpha, self.share) * self.error

    @cached_property
    def p_adjusted(self) -> list[float]:
        """For one experiment: p of each contrast, of the distribution that the intervals are of."""
        return [
            self.reference.p_value(difference / error, share) if error else float(not difference)
            for difference, error, share in zip(
                self.difference, self.error, self.share, strict=True
            )
        ]


def judge_family(
    values: Array,
    contrasts: Contrasts,
    *,
    pilot: int | None = None,
    evaluation_error: Array | float = 0.0,
    documents: int = 2,
) -> Estimates:
    """Estimate a family of contrasts.

    Args:
        values: Of each arm at each seed: (..., arm, seed).
        contrasts: A weight for every arm.
        pilot: Take variances from so many of the first seeds only; None: from all.
        evaluation_error: Of each contrast, by the choice of documents.
        documents: How many there are, for the degrees of freedom of that error.
    """
    within = np.asarray(contrasts) @ values  # ... contrast, seed
    n = within.shape[-1]
    known_from = pilot or n
    variance = within[..., :known_from].var(axis=-1, ddof=1)
    scale = np.sum(np.square(contrasts), axis=-1)  # of an interaction it is not that of a pair
    seed_variance = moderated(variance / scale) * scale / n
    of_documents = np.broadcast_to(np.square(evaluation_error), seed_variance.shape)
    return Estimates(
        difference=within.mean(axis=-1),
        sd=np.sqrt(variance),
        seed_error=np.sqrt(seed_variance),
        evaluation_error=np.sqrt(of_documents),
        share=share_of_seeds(seed_variance, of_documents, known_from - 1, documents),
        reference=reference(contrasts, known_from),
    )


def share_of_seeds(
    seeds: Array | float, of_documents: Array | float, df: int, documents: int
) -> Array:
    """Return the seeds' degrees of freedom `df` over those of the sum of two squared errors.

    Source: F. E. Satterthwaite, "An approximate distribution of estimates of variance components",
    Biometrics Bulletin 2 (1946) 110-114.
    """
    of_documents = np.asarray(of_documents)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = seeds + of_documents
        one, other = seeds / whole, of_documents / whole
        share = one**PLUGGED_IN + other**2 * df / max(documents - 1, 1)
    return np.where(of_documents > 0, np.minimum(share, 1.0), 1.0)
