"""The runs of two arms, paired by seed, and why they may not be compared."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from harness.analysis.statistics.families import Pair
from harness.analysis.statistics.intervals import LEAST_PAIRS
from harness.analysis.statistics.values import arm_values, report_runs, usable
from harness.analysis.verdicts.evaluation import different_documents
from harness.analysis.verdicts.judged import Judged
from harness.analysis.verdicts.tuning import tuning_objection
from harness.store.status import Status
from harness.store.tables import Plan


@dataclass(frozen=True)
class Pairs:
    """The values of two arms at the seeds where both have one."""

    seeds: list[int]
    arm: list[float]
    baseline: list[float]

    @property
    def differences(self) -> list[float]:
        """Arm minus baseline, seed by seed."""
        return [a - b for a, b in zip(self.arm, self.baseline, strict=True)]


def pair_up(plan: Plan, runs: pd.DataFrame, pair: Pair, metric: str) -> Pairs:
    """Pair the values of two arms by seed."""
    values = {arm: arm_values(plan, runs, arm, metric) for arm in (pair.arm, pair.baseline)}
    both = pd.DataFrame(values).sort_index().dropna()
    return Pairs(list(map(int, both.index)), both[pair.arm].tolist(), both[pair.baseline].tolist())


def objections(
    plan: Plan, runs: pd.DataFrame, documents: pd.DataFrame, judged: Judged
) -> Iterator[str]:
    """Say each reason for which no verdict on a pair may be given."""
    pair = judged.pair
    ours = report_runs(runs[runs["arm"].isin([pair.arm, pair.baseline])])
    for arm in (pair.arm, pair.baseline):
        if why := tuning_objection(plan, arm):
            yield why
        if leak := (plan["arms"][arm].get("leak") or {}).get("found"):
            yield f"{arm} looks ahead: {leak}"
        if why := plan["arms"][arm].get("matched", {}).get("refused"):
            yield f"{arm} could not be matched: {why}"
    if _sources(ours, pair.arm) & _sources(ours, pair.baseline):
        yield "the arms share runs: equal configurations need a replica to be compared"
    for arm in (pair.arm, pair.baseline):
        if missing := lacking(plan, ours, arm):
            yield f"{arm} lacks {missing}"
    if _scored_differently(plan, documents, pair):
        yield "the arms are scored on different documents"
    environments = sorted(usable(ours, plan["metric"])["environment"].unique())
    if len(environments) > 1:
        yield f"runs of different environments are not pooled ({', '.join(environments)})"
    if judged.n < LEAST_PAIRS:
        yield f"a verdict needs {LEAST_PAIRS} pairs of seeds, but there are {judged.n}"
    elif judged.is_constant and judged.difference:
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


def _scored_differently(plan: Plan, documents: pd.DataFrame, pair: Pair) -> bool:
    """Whether two arms are not scored on the same documents: as found, or else as planned."""
    found = different_documents(documents, pair)
    if found is not None or "/" in plan["metric"]:  # a set may be the same for all data
        return bool(found)
    arm, baseline = (plan["arms"][name].get("data", {}) for name in (pair.arm, pair.baseline))
    keys = (arm.keys() | baseline.keys()) - {"tokenizer", "packing"}  # bits per byte allow for them
    return any(arm.get(key) != baseline.get(key) for key in keys)


def _sources(runs: pd.DataFrame, arm: str) -> set[tuple[str, str]]:
    """Return the trainings of an arm, each with the measurement of it that counts."""
    ours = runs[runs["arm"] == arm]
    measurements = ours["measurement"].fillna("") if "measurement" in ours else [""] * len(ours)
    return set(zip(ours["run_id"], measurements, strict=True))


def lacking(plan: Plan, runs: pd.DataFrame, arm: str) -> str:
    """Name the seeds without a value and what became of their runs: `seed 3 (failed)`."""
    metric, ours = plan["metric"], runs[runs["arm"] == arm]
    values = arm_values(plan, runs, arm, metric).dropna()
    states: dict[int, str] = {
        seed: "not planned" for seed in plan["seeds"] if seed not in set(ours["seed"])
    }
    for run in ours.drop(usable(ours, metric).index).to_dict("records"):
        done = run["status"] == Status.DONE
        states[run["seed"]] = f"done without {metric}" if done else run["status"]
    # beside a setting that diverged there are others, from which the value is taken
    told = (s for s, state in states.items() if s not in values.index or state != Status.DIVERGED)
    missing = {seed: states[seed] for seed in told}
    return ", ".join(f"seed {seed} ({state})" for seed, state in sorted(missing.items()))
