"""An arm in one line: its metric over the seeds, its losses, its cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harness.analysis.statistics.intervals import LEVEL_OF_MEANS, Estimate, estimate
from harness.analysis.statistics.values import arm_values, report_runs, usable
from harness.analysis.units import decimals_for
from harness.analysis.verdicts.costs import NEGLIGIBLE
from harness.analysis.verdicts.exposure import Exposure
from harness.store.status import Status
from harness.store.tables import Plan


@dataclass(frozen=True)
class ArmSummary:
    """An arm's metric over its seeds, what became of its runs, and what it costs."""

    arm: str
    n: int
    n_planned: int
    n_diverged: int
    n_failed: int
    mean: float | None
    low: float | None
    high: float | None
    sd: float | None
    params: float | None
    params_active: float | None
    """That one token meets: fewer if there are experts."""
    params_non_embedding: float | None
    train_flops_per_token: float | None
    cache_bytes: float | None
    weight_bytes: float | None
    """As stored for inference."""
    tokens_per_param: float | None
    """Median over the runs that count, as the next ones."""
    epochs: float | None
    """How often the training text was seen; runs of earlier versions do not tell."""
    tokens_per_s: float | None
    share_of_peak: float | None
    """Of the machine's matmul speed, while they were trained."""
    peak_memory: float | None
    """Bytes."""
    seconds: float | None
    """Of one run."""

    @property
    def exposure(self) -> Exposure:
        """What it saw of its text."""
        return Exposure(self.tokens_per_param, self.epochs)


def summarise(plan: Plan, runs: pd.DataFrame, arm: str) -> ArmSummary:
    """Summarise an arm over its seeds; replicas of a seed are averaged."""
    ours = report_runs(runs[runs["arm"] == arm])
    counted = usable(ours, plan["metric"])
    mean = mean_over_seeds(plan, runs, arm, plan["metric"])
    cost = plan["arms"][arm]["cost"]
    return ArmSummary(
        arm=arm,
        n=mean.n,
        n_planned=ours["seed"].nunique(),
        n_diverged=int((ours["status"] == Status.DIVERGED).sum()),
        n_failed=int((ours["status"] == Status.FAILED).sum()),
        mean=mean.mean,
        low=mean.low,
        high=mean.high,
        sd=mean.sd,
        params=cost.get("params"),
        params_active=cost.get("params_active"),
        params_non_embedding=cost.get("params_non_embedding"),
        train_flops_per_token=cost.get("train_flops_per_token"),
        cache_bytes=cost.get("cache_bytes"),
        weight_bytes=cost.get("weight_bytes"),
        tokens_per_param=_ratio(_median(counted, "tokens"), cost.get("params")),
        epochs=_median(counted, "epochs"),
        tokens_per_s=_median(counted, "tokens_per_s"),
        share_of_peak=_median(counted, "share_of_peak"),
        peak_memory=_median(counted, "peak_memory"),
        seconds=_median(counted, "seconds"),
    )


def mean_over_seeds(plan: Plan, runs: pd.DataFrame, arm: str, metric: str) -> Estimate:
    """Return the mean of an arm's values at the seeds that have one, with its interval."""
    over_seeds = arm_values(plan, runs, arm, metric).dropna()
    return estimate(over_seeds.tolist(), LEVEL_OF_MEANS)


def _median(runs: pd.DataFrame, column: str) -> float | None:
    if column not in runs or runs[column].isna().all():  # tables of earlier versions lack some
        return None
    return float(runs[column].median())


def _ratio(tokens: float | None, params: float | None) -> float | None:
    return tokens / params if tokens and params else None


def says_more_than_params(arms: Sequence[ArmSummary], cost: str) -> bool:
    """Whether a cost of the arms is not in proportion to their parameters."""
    pairs = [(getattr(arm, cost), arm.params) for arm in arms]
    each = [of_arm / params for of_arm, params in pairs if of_arm and params]
    return max(each, default=0.0) > (1 + NEGLIGIBLE) * min(each, default=0.0)


def mean_words(arm: ArmSummary | Estimate) -> str:
    """Write a mean and its interval, with the decimals that the interval deserves."""
    if arm.mean is None:
        return "-"
    if arm.low is None or arm.high is None:
        return f"{arm.mean:.4f}"
    half_width = (arm.high - arm.low) / 2
    decimals = decimals_for(-half_width, half_width)
    return f"{arm.mean:.{decimals}f} ± {half_width:.{decimals}f}"
