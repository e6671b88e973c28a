"""Which runs an experiment needs, as far as its finished ones can tell: a function of the store.

Tuning comes first, then the runs that answer the question, at the settings that were chosen. Asked
again after more runs have ended, it knows more; the runs that it named before stay the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean

from harness.analysis.statistics.verdict import METRICS_TO_MAXIMISE
from harness.experiments.planning.planned import PlannedRun, Wanted
from harness.experiments.planning.run_planner import RunPlanner
from harness.experiments.planning.tuning import AROUND, Tuning, choose, extend_report
from harness.experiments.question.config import Resolved
from harness.experiments.question.evaluation_set import HELD_OUT
from harness.experiments.question.tuned_settings import own_value
from harness.experiments.question.tuning_config import Grid, Setting, Tune

SLOPE_SHARE = 0.5  # of the budget, to see what compute buys


@dataclass
class Stages:
    """The seeds of the report, the runs that are needed, and those that are foreseen."""

    seeds: Sequence[int]
    runs: list[PlannedRun] = field(default_factory=list)
    tunings: dict[str, Tuning] = field(default_factory=dict)
    expected: list[Wanted] = field(default_factory=list)

    @property
    def are_done(self) -> bool:
        """Whether nothing that is known to be needed is left to do."""
        pending = (run for run in self.runs if run.is_pending and not run.diverged)
        return not self.expected and not any(pending)


def plan_stages(resolved: Resolved, planner: RunPlanner, seeds: Sequence[int]) -> Stages:
    """List the runs of all stages that are known, each stage seed by seed: early results pair."""
    stages, tune = Stages(seeds), resolved.tune
    if tune:
        for arm in planner.arms:
            tuner = _Tuner(tune, arm, tuning_metric(resolved), planner)
            stages.tunings[arm] = _extended(resolved, planner, arm, tuner.tuning())
            stages.runs += tuner.runs
        stages.runs.sort(key=lambda run: (run.wanted.seed, run.wanted.trial))
    wanted = [
        Wanted(arm, seed, setting=setting)
        for seed in seeds
        for arm in planner.arms
        for setting in _report_settings(stages.tunings.get(arm))
    ]
    if resolved.experiment.analysis.practical == "auto":
        chosen = stages.tunings.get(resolved.baseline)
        slope = Wanted(resolved.baseline, seeds[0], "slope", budget_share=SLOPE_SHARE)
        if chosen is None or chosen.chosen is not None:
            slope = replace(slope, setting=chosen.chosen if chosen else None)
            wanted += [replace(slope, seed=seed) for seed in seeds]
        else:
            stages.expected += [replace(slope, seed=seed) for seed in seeds]
    stages.runs += planner.plan(wanted)
    n_settings = AROUND if tune and tune.protocol == "fitted" else 1
    stages.expected += [
        Wanted(arm, seed)
        for arm, tuning in stages.tunings.items()
        if tuning.chosen is None
        for seed in seeds
        for _ in range(n_settings)
    ]
    return stages


def _extended(resolved: Resolved, planner: RunPlanner, arm: str, tuning: Tuning) -> Tuning:
    """Report beside the best setting as long as the first seeds ask for it: later ones do not."""
    tune = resolved.tune
    if not (tune and isinstance(tune.search, Grid) and tune.protocol == "fitted"):
        return tuning
    start = own_value(planner.arms[arm].arm.train, tune.search.key)
    return extend_report(tune.search, start, tuning, partial(_losses, resolved, planner, arm))


def _report_settings(tuning: Tuning | None) -> Sequence[Setting | None]:
    """Return where an arm reports: as it is written, if nothing is tuned."""
    return [None] if tuning is None else tuning.report


def tuning_metric(resolved: Resolved) -> str:
    """Return what settings are chosen by: of what training evaluates, the kind that is compared."""
    kind = resolved.experiment.analysis.metric.rpartition("/")[2]
    has_bytes = all(arm.data.has_bytes for arm in resolved.arms.values())
    return "val_loss" if kind == "val_bpb" and not has_bytes else kind


class _Tuner:
    """Plans the tuning runs of an arm while its settings are asked for."""

    def __init__(self, tune: Tune, arm: str, metric: str, planner: RunPlanner) -> None:
        self.runs: list[PlannedRun] = []
        self._tune, self._arm, self._metric, self._planner = tune, arm, metric, planner
        self._losses: dict[str, float | None] = {}

    def tuning(self) -> Tuning:
        """Choose, as far as the runs of the store allow."""
        search, train = self._tune.search, self._planner.arms[self._arm].arm.train
        start = own_value(train, search.key) if isinstance(search, Grid) else math.nan
        return choose(self._tune, start, self._loss)

    def _loss(self, setting: Setting) -> float | None:
        key = repr(setting)
        if key not in self._losses:
            wanted = partial(Wanted, purpose="tuning", setting=setting, trial=len(self._losses))
            runs = self._planner.plan([wanted(self._arm, seed) for seed in self._tune.seeds])
            self.runs += runs
            losses = [loss_of(run, self._metric) for run in runs]
            known = [loss for loss in losses if loss is not None]
            self._losses[key] = fmean(known) if len(known) == len(losses) else None
        return self._losses[key]


def _losses(
    resolved: Resolved, planner: RunPlanner, arm: str, setting: Setting
) -> list[float] | None:
    seeds, metric = resolved.seeds.first, resolved.experiment.analysis.metric
    runs = planner.plan([Wanted(arm, seed, setting=setting) for seed in seeds])
    losses = [loss_of(run, metric) for run in runs]
    known = [loss for loss in losses if loss is not None]
    return known if len(known) == len(losses) else None


def loss_of(run: PlannedRun, metric: str) -> float | None:
    """Return what a run has lost, lower is better; infinite if it diverged, None if unknown."""
    if run.diverged:
        return math.inf
    if run.is_pending or run.done is None:
        return None
    of_set, _, kind = metric.rpartition("/")
    measurement = run.measurements.get(of_set) or run.measurements.get(HELD_OUT)
    ended = run.done.read_measurement(measurement) if measurement else run.done.read_result()
    value = ended.metrics.get(kind if of_set in run.measurements else metric) if ended else None
    if value is None or math.isnan(value):
        return math.inf
    return -value if kind in METRICS_TO_MAXIMISE else value
