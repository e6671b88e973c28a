"""The losses that arms end at for several amounts of compute, each with a schedule of its own.

They come from the experiments of several budgets, or from the branches of one training (`wsd` with
`branch_at`), which decay as whole runs of a smaller budget do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harness.analysis.effects.holds import Under
from harness.analysis.statistics.values import report_runs, seed_values, usable

_BRANCH = re.compile(r"at_(\d*\.?\d+)/")
UNITS = ("flops", "seconds")


@dataclass(frozen=True)
class Decayed:
    """What arms end at, by share of the budget, the smallest first; the last one is the whole."""

    source: str
    """`budgets` or `branches`."""
    metric: str
    shares: tuple[float, ...]
    values: tuple[pd.DataFrame, ...]
    """For each share: a row a seed, a column an arm."""
    spent: dict[str, pd.DataFrame]
    """By unit: a row a share, a column an arm; the mean over runs."""


def decayed_points(main: Under, others: Sequence[Under]) -> Decayed | None:
    """Return the points of several budgets, else those of branches; None if there is one only."""
    budgets = [other for other in others if other.kind == "budget"]
    if budgets:
        return _of_budgets(main, budgets)
    return _of_branches(main)


def _of_budgets(main: Under, budgets: Sequence[Under]) -> Decayed:
    by_share = {1.0: main, **{float(one.name.rstrip("x")): one for one in budgets}}
    by_share = {share: by_share[share] for share in sorted(by_share) if share <= 1}
    metric = main.plan["metric"]
    arms = list(main.plan["arms"])
    return Decayed(
        source="budgets",
        metric=metric,
        shares=tuple(by_share),
        values=tuple(seed_values(one.plan, one.runs, metric)[arms] for one in by_share.values()),
        spent={
            unit: pd.DataFrame(
                {share: _mean(one.runs, metric, unit) for share, one in by_share.items()}
            ).T[arms]
            for unit in UNITS
        },
    )


def _of_branches(main: Under) -> Decayed | None:
    """Read the branches; their seconds, which nobody measured, are their share of the whole's."""
    metric = main.plan["metric"].rpartition("/")[2]  # a branch is scored on held-out text alone
    ends = {
        float(found[1]): column
        for column in map(str, main.runs.columns)
        if (found := _BRANCH.match(column)) and column == f"{found[0]}{metric}"
    }
    ends = {share: ends[share] for share in sorted(ends)}
    if not ends or any(main.runs[column].isna().all() for column in ends.values()):
        return None
    arms = list(main.plan["arms"])
    columns = [*ends.values(), metric]
    flops = [*(column.replace(metric, "flops") for column in ends.values()), "flops"]
    shares = (*ends, 1.0)
    seconds = _mean(main.runs, metric, "seconds")
    return Decayed(
        source="branches",
        metric=metric,
        shares=shares,
        values=tuple(seed_values(main.plan, main.runs, column)[arms] for column in columns),
        spent={
            "flops": pd.DataFrame(
                {s: _mean(main.runs, metric, c) for s, c in zip(shares, flops, strict=True)}
            ).T[arms],
            "seconds": pd.DataFrame({share: share * seconds for share in shares}).T[arms],
        },
    )


def _mean(runs: pd.DataFrame, metric: str, column: str) -> "pd.Series[float]":
    return usable(report_runs(runs), metric).groupby("arm")[column].mean().astype(float)
