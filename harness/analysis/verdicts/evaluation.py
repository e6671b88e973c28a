"""How far a difference depends on which documents were held out: an error that all seeds share.

Source: the random-effects analysis of variance of a two-way layout without repetitions (seeds x
documents), as in H. Scheffé, "The Analysis of Variance" (1959), chapter 7, on the influence of each
document on the ratio of nats to bytes; and, to check it, the two-way bootstrap of A. B. Owen, "The
pigeonhole bootstrap", Ann. Appl. Stat. 1 (2007) 386-411, arXiv:0712.1111, which here draws with
multinomial weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.statistics.critical import Array
from harness.analysis.statistics.families import Pair
from harness.analysis.statistics.values import fit_of, read_at
from harness.store.tables import Plan

_RESAMPLES, _CHUNK = 4000, 250
_SCORED = ("val_bpb", "val_loss")
"""Metrics that documents add up to."""


@dataclass(frozen=True)
class PairedDocuments:
    """What each document adds to a difference at each seed, and what it weighs."""

    difference: Array
    """Of arm and baseline, in units of the metric times weight: (seed, document)."""
    weight: Array
    """Its bytes, or 1 where nothing has bytes."""

    @property
    def n(self) -> int:
        """How many documents there are."""
        return len(self.weight)

    @property
    def influence(self) -> Array:
        """How far each document draws the difference at each seed; its mean over them is 0."""
        mean = self.difference.sum() / self.weight.sum() / len(self.difference)
        return (self.difference - mean * self.weight) * self.n / self.weight.sum()

    @property
    def error(self) -> float:
        """Standard error of the difference from the choice of documents, seeds being fixed."""
        return float(shared_error(self.influence))

    def bootstrap(self, level: float) -> tuple[float, float]:
        """Return a percentile interval over resampled seeds and documents, always the same."""
        n_seeds = len(self.difference)
        rng = np.random.default_rng(0)
        found = []
        for _ in range(_RESAMPLES // _CHUNK):
            seeds = rng.multinomial(n_seeds, [1 / n_seeds] * n_seeds, _CHUNK) / n_seeds
            documents = rng.multinomial(self.n, [1 / self.n] * self.n, _CHUNK)
            total = ((seeds @ self.difference) * documents).sum(axis=1)
            found.append(total / (documents @ self.weight))
        low, high = np.quantile(np.concatenate(found), [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def shared_error(influence: Array) -> Array:
    """Return the standard error that the seeds (..., seed, document) have in common.

    That of the documents' component of variance: what differs from seed to seed within a document
    is part of the seeds' own error already.
    """
    n_seeds, n_documents = influence.shape[-2:]
    means = influence.mean(axis=-2, keepdims=True)
    rows = influence.mean(axis=-1, keepdims=True)
    rest = influence - means - rows + influence.mean(axis=(-2, -1), keepdims=True)
    between = n_seeds * means[..., 0, :].var(axis=-1, ddof=1)
    within = np.square(rest).sum(axis=(-2, -1)) / ((n_seeds - 1) * (n_documents - 1))
    component = np.maximum(between - within, 0.0) / n_seeds
    return np.asarray(np.sqrt(component / n_documents))


def pair_documents(
    plan: Plan, runs: pd.DataFrame, documents: pd.DataFrame, values: pd.DataFrame, pair: Pair
) -> PairedDocuments | None:
    """Pair the losses of documents; None if they are not known, or do not add up to the metric.

    Args:
        plan: What was run.
        runs: Its runs.
        documents: A row for each run and document: arm, seed, setting, document, nats, bytes.
        values: Of each arm (a column) at each seed, those that count.
        pair: Which arms.
    """
    if plan["metric"].rpartition("/")[2] not in _SCORED or not len(documents):
        return None
    sides = [
        _of_arm(plan, runs, documents[documents["arm"] == arm], arm).reindex(values.index).dropna()
        for arm in (pair.arm, pair.baseline)
    ]
    arm, baseline = sides
    if len(arm) < len(values) or len(baseline) < len(values) or len(values) < 2:
        return None
    if not arm.columns.equals(baseline.columns) or len(arm.columns) < 2:
        return None
    n_bytes = _bytes(documents).reindex(arm.columns).to_numpy(float)
    weight = np.where(n_bytes.all(), n_bytes, 1.0)
    ours, theirs = (
        side.mul(values[name] / side.sum(axis=1), axis=0).to_numpy(float) * weight.sum()
        for side, name in zip(sides, (pair.arm, pair.baseline), strict=True)
    )
    return PairedDocuments(ours - theirs, weight)


def different_documents(documents: pd.DataFrame, pair: Pair) -> bool | None:
    """Whether two arms were scored on different documents; None if that is not known."""
    seen = [_bytes(documents[documents["arm"] == arm]) for arm in (pair.arm, pair.baseline)]
    if any(side.empty for side in seen):
        return None
    return not seen[0].equals(seen[1])


def _of_arm(plan: Plan, runs: pd.DataFrame, documents: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Return the nats of each document (a column) at each seed, as the values are: fitted if so."""
    fit = fit_of(plan, runs, arm) if plan["arms"][arm].get("tuning") else None
    if fit is None:
        return documents.groupby(["seed", "document"])["nats"].mean().unstack("document")
    return _read_at_optimum(documents, fit.settings, fit.optimum)


def _read_at_optimum(
    documents: pd.DataFrame, settings: tuple[float, ...], optimum: float
) -> pd.DataFrame:
    tables = list(_by_setting(documents, settings))
    stacked = np.stack([table.to_numpy(float) for table in tables], axis=-1)
    read = read_at(settings, stacked, optimum)
    return pd.DataFrame(read, index=tables[0].index, columns=tables[0].columns)


def _by_setting(documents: pd.DataFrame, settings: tuple[float, ...]) -> Iterator[pd.DataFrame]:
    seeds, names = (sorted(documents[key].unique()) for key in ("seed", "document"))
    for setting in settings:
        means = documents[documents["setting"] == setting].groupby(["seed", "document"])["nats"]
        yield means.mean().unstack("document").reindex(index=seeds, columns=names)


def _bytes(documents: pd.DataFrame) -> "pd.Series[int]":
    return documents.groupby("document")["bytes"].first()
