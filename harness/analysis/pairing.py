"""The runs of two arms, paired by seed, and why they may not be compared."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from harness.analysis.families import Pair
from harness.analysis.intervals import LEAST_PAIRS, Estimate
from harness.store.status import Status
from harness.store.tables import Plan


@dataclass(frozen=True)
class Pairs:
    """A metric of two arms at the seeds where both have it; replicas of a seed are averaged."""

    arm: list[float]
    baseline: list[float]

    @property
    def differences(self) -> list[float]:
        """Arm minus baseline, seed by seed."""
        return [a - b for a, b in zip(self.arm, self.baseline, strict=True)]


def usable(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the runs that count: done, with the metric measured."""
    return runs[(runs["status"] == Status.DONE) & runs[metric].notna()]


def pair_up(runs: pd.DataFrame, pair: Pair, metric: str) -> Pairs:
    """Pair what counts of two arms by seed."""
    means = usable(runs, metric).groupby(["arm", "seed"])[metric].mean().unstack("arm")
    both = means.reindex(columns=[pair.arm, pair.baseline]).dropna()
    return Pairs(both[pair.arm].tolist(), both[pair.baseline].tolist())


def objections(plan: Plan, runs: pd.DataFrame, pair: Pair, difference: Estimate) -> Iterator[str]:
    """Say each reason for which no verdict on this pair may be given."""
    ours = runs[runs["arm"].isin([pair.arm, pair.baseline])]
    for arm in (pair.arm, pair.baseline):
        if why := plan["arms"][arm].get("matched", {}).get("refused"):
            yield f"{arm} could not be matched: {why}"
    if _sources(ours, pair.arm) & _sources(ours, pair.baseline):
        yield "the arms share runs: equal configurations need a replica to be compared"
    for arm in (pair.arm, pair.baseline):
        if missing := lacking(plan, ours[ours["arm"] == arm], plan["metric"]):
            yield f"{arm} lacks {missing}"
    environments = sorted(usable(ours, plan["metric"])["environment"].unique())
    if len(environments) > 1:
        yield f"runs of different environments are not pooled ({', '.join(environments)})"
    if difference.n < LEAST_PAIRS:
        yield f"a verdict needs {LEAST_PAIRS} pairs of seeds, but there are {difference.n}"
    elif difference.is_constant and difference.mean:
        yield "the seeds do not differ at all: without noise there is nothing to judge by"


def share_training(plan: Plan, pair: Pair) -> bool:
    """Whether two arms are the same trained runs, measured in two precisions of inference."""
    arm, baseline = (
        {
            (run["seed"], run["replica"], run["run_id"]): run.get("measurement")
            for run in plan["runs"]
            if run["arm"] == name
        }
        for name in (pair.arm, pair.baseline)
    )
    different = [measured != baseline.get(run) for run, measured in arm.items()]
    return arm.keys() == baseline.keys() and any(different)


def _sources(runs: pd.DataFrame, arm: str) -> set[tuple[str, str]]:
    """Return the trainings of an arm, each with the measurement of it that counts."""
    ours = runs[runs["arm"] == arm]
    measurements = ours["measurement"].fillna("") if "measurement" in ours else [""] * len(ours)
    return set(zip(ours["run_id"], measurements, strict=True))


def lacking(plan: Plan, runs: pd.DataFrame, metric: str) -> str:
    """Name the seeds without a usable run and what became of them: `seed 3 (failed)`."""
    states = {seed: "not planned" for seed in plan["seeds"] if seed not in set(runs["seed"])}
    for run in runs.drop(usable(runs, metric).index).to_dict("records"):
        done = run["status"] == Status.DONE
        states[run["seed"]] = f"done without {metric}" if done else run["status"]
    return ", ".join(f"seed {seed} ({state})" for seed, state in sorted(states.items()))
