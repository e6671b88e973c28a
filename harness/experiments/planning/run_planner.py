"""From what is wanted of an arm to the run that gives it, found in the store or still to be made.

One planner goes through all stages of an experiment, so that arms are matched, and fingerprints
measured, once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.errors import ConfigError
from harness.experiments.planning.final_scoring import FinalScoring, final_scorings
from harness.experiments.planning.planned import PlannedArm, PlannedRun, Wanted
from harness.experiments.planning.reuse import Reuse
from harness.experiments.question.config import Resolved
from harness.experiments.question.evaluation_set import HELD_OUT
from harness.experiments.question.run_config import RunConfig
from harness.experiments.question.tuned_settings import with_setting
from harness.store.runs import RunStore
from harness.training.config import TrainConfig


class RunPlanner:
    """Plans the runs of an experiment whose arms are matched and priced."""

    def __init__(
        self, resolved: Resolved, arms: Mapping[str, PlannedArm], store: RunStore, environment: str
    ) -> None:
        self.arms = dict(arms)
        self.store, self._resolved, self._environment = store, resolved, environment
        self._reuse = Reuse(store)
        self._scorings: dict[str, dict[str, FinalScoring]] = {}
        self._trains: dict[str, TrainConfig] = {}
        self._attempts_from: dict[str, int] = {}

    def plan(self, wanted: Sequence[Wanted]) -> list[PlannedRun]:
        """Find what is there of runs; those with the same training see to it together."""
        configs = [self._config(one) for one in wanted]
        ids = [_id_of(one.arm, config) for one, config in zip(wanted, configs, strict=True)]
        scorings = [
            self._scorings_of(one, config) for one, config in zip(wanted, configs, strict=True)
        ]
        needed: dict[str, list[FinalScoring]] = {}
        for run_id, of_run in zip(ids, scorings, strict=True):
            needed.setdefault(run_id, []).extend(of_run.values())
        return [
            self._found(*planned, needed[planned[2]])
            for planned in zip(wanted, configs, ids, scorings, strict=True)
        ]

    def record(self, run: PlannedRun) -> dict[str, Any]:
        """Write a run down, with the attempts that count: the one reused, or those to come."""
        wanted = run.wanted
        setting = list((wanted.setting or {}).values())
        return {
            "arm": run.arm,
            "seed": wanted.seed,
            "replica": run.config.replica,
            "purpose": wanted.purpose,
            "setting": setting[0] if len(setting) == 1 else None,
            "trial": wanted.trial,
            "budget_share": wanted.budget_share,
            "run_id": run.run_id,
            "environment": run.environment,
            "reuses": run.done.number if run.done else None,
            "attempts_from": self._first_attempt(run),
            "measurement": run.measurements.get(HELD_OUT),
            "evaluations": {n: m for n, m in run.measurements.items() if n != HELD_OUT},
        }

    def _first_attempt(self, run: PlannedRun) -> int:
        """Return the number from which attempts count, as it was when the run was first planned.

        What failed since then is an outcome of this experiment, also once it is planned again.
        """
        if run.run_id not in self._attempts_from:
            attempts = self.store.attempts(run.run_id)
            known = [a.number for a in attempts if a.environment == self._environment]
            first = run.interrupted.number if run.interrupted else max(known, default=0) + 1
            self._attempts_from[run.run_id] = first
        return self._attempts_from[run.run_id]

    def _config(self, wanted: Wanted) -> RunConfig:
        planned, experiment = self.arms[wanted.arm], self._resolved.experiment
        train = self._train(wanted)
        return RunConfig(
            variant=planned.matched.spec,
            data=planned.arm.data,
            train=train,
            seed=wanted.seed,
            replica=experiment.replica,
            salt=experiment.name if train.budget.unit == "seconds" else "",
            component_folders=self._resolved.component_folders,
            init_from=planned.arm.init_from,
            samples=experiment.samples,
            held=self._resolved.seeds.held,
        )

    def _train(self, wanted: Wanted) -> TrainConfig:
        key = repr((wanted.arm, wanted.setting, wanted.budget_share))
        if key not in self._trains:
            train = self.arms[wanted.arm].arm.train
            if wanted.budget_share != 1:
                budget = train.budget.share(wanted.budget_share)
                train = train.model_copy(update={"budget": budget})
            try:
                train = with_setting(train, wanted.setting or {})
            except ConfigError as error:
                raise error.within("tune") from None
            self._trains[key] = train
        return self._trains[key]

    def _scorings_of(self, wanted: Wanted, config: RunConfig) -> dict[str, FinalScoring]:
        """Return what a run is scored under and on: a tuning run on no set that is reported."""
        if wanted.arm not in self._scorings:
            sets = self._resolved.arms[wanted.arm].evaluate
            self._scorings[wanted.arm] = final_scorings(config, sets)
        scorings = self._scorings[wanted.arm]
        if wanted.purpose == "tuning":
            return {name: one for name, one in scorings.items() if name == HELD_OUT}
        return scorings

    def _found(
        self,
        wanted: Wanted,
        config: RunConfig,
        run_id: str,
        scorings: dict[str, FinalScoring],
        needed: Sequence[FinalScoring],
    ) -> PlannedRun:
        found = self._reuse.find(config, run_id, self._environment, needed)
        run = PlannedRun(
            wanted=wanted,
            config=config,
            run_id=run_id,
            environment=self._environment,
            done=found.attempt,
            scorings=scorings,
            lost_weights=found.lost_weights,
            interrupted=found.interrupted,
            diverged=found.attempt is None and found.diverged is not None,
        )
        if found.attempt:
            stored = {name: one.find(found.attempt) for name, one in scorings.items()}
            return replace(run, measured={name: m for name, m in stored.items() if m})
        if wanted.purpose == "tuning" and found.diverged:  # that a setting diverges says enough
            return replace(run, done=found.diverged, scorings={})
        return run


def _id_of(arm: str, config: RunConfig) -> str:
    try:
        return config.run_id()
    except ConfigError as error:  # only now is the corpus looked at
        raise error.within("arms", arm, "data") from None
