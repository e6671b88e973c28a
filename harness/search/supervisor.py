"""The one process that runs a study: asks, trains, compares, writes down.

What it does next is a function of the events so far, so that a search that was stopped at any
moment goes on from there. The order is always: a run's own files, then the events, then what
samplers and Optuna's storage are told.
"""

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from harness.errors import AblateError
from harness.experiments.running.pause import NEARLY
from harness.search.frozen import step_of
from harness.search.halving import Decisions, decide
from harness.search.legs import Engine, Leg, LegEnded
from harness.search.mirror import Mirror
from harness.search.objectives import final_values, values_at
from harness.search.proposals import Proposal, Proposals
from harness.search.question import Search
from harness.search.space import Point
from harness.search.state import StudyState, Trial
from harness.search.suggester import Suggester
from harness.store.attempt import Attempt
from harness.store.curve import Point as CurvePoint
from harness.store.errors import StoreError
from harness.store.records import Result
from harness.store.status import Status
from harness.store.studies import Event, StudyFiles
from harness.training.randomness import address

MOST_DEATHS = 10
"""Of workers on one trial without getting further, before it counts as failed."""
SECONDS_PER_HOUR = 3600


class Supervisor:
    """Runs one study; its files are held by the caller."""

    def __init__(
        self, search: Search, proposals: Proposals, files: StudyFiles, mirror: Mirror | None
    ) -> None:
        self.search, self.proposals, self.files = search, proposals, files
        events = files.events()
        self.state = StudyState(events)
        self._suggester = Suggester(search.definition, search.space, search.sampler)
        self._suggester.replay(events)
        self._mirror = mirror
        if mirror:
            mirror.apply(events)
        self._known: dict[int, Proposal] = {}
        self._attempts: dict[int, Attempt] = {}
        self._grid: list[Point] | None = None
        self._news: list[Event] = []

    def run(self, engine: Engine) -> Generator[Event, None, None]:
        """Yield what happens, as it is written down, until nothing is left to do.

        Closing the iterator stops what is under way; the trials go on from their checkpoints.

        Raises:
            AblateError: something could not be written.
        """
        try:
            for trial in self.state.trials:
                if trial.is_running:
                    self._lose(trial, None, "the search was stopped")
            while self._step(engine):
                yield from self._told()
            yield from self._told()
        finally:
            stopped = list(engine.legs)
            engine.close()
            for leg in stopped:
                self._lose(self.state.trials[leg.number], None, "the search was stopped")

    def judge(self, number: int, point: CurvePoint) -> bool:
        """Write an evaluation down, and say whether the pruner stops the trial there."""
        trial, step = self.state.trials[number], step_of(point["fraction"])
        if all(step_of(rung["fraction"]) != step for rung in trial.rungs):
            self._append_rung(trial, point, pauses=False)
        return self._suggester.stops(number, step)

    @property
    def may_ask(self) -> bool:
        """Whether there are to be more trials."""
        limits = self.search.limits
        spent = self.state.spent
        return len(self.state.trials) < self.search.n_trials and not (
            (limits.hours and spent("seconds") >= limits.hours * SECONDS_PER_HOUR)
            or (limits.tokens and spent("tokens") >= limits.tokens)
            or (limits.flops and spent("flops") >= limits.flops)
        )

    def _told(self) -> Iterator[Event]:
        news, self._news = self._news, []
        yield from news

    def _step(self, engine: Engine) -> bool:
        """Do the next thing; return whether there was one."""
        decisions = self._decisions()
        if self._settle(decisions):
            return True
        if engine.has_room:
            active = {leg.number for leg in engine.legs}
            for trial in self.state.trials:
                if trial.number not in active and self._is_ready(trial, decisions):
                    self._begin(trial, engine)
                    return True
            if self.may_ask:
                self._ask()
                return True
        if engine.legs:
            for ended in engine.wait():
                self._record(ended)
            return True
        return False

    def _decisions(self) -> Decisions:
        if self.search.rungs is None:
            return Decisions({}, [])
        objectives = self.search.objectives
        return decide(self.state, self.search.rungs, objectives, not self.may_ask)

    def _settle(self, decisions: Decisions) -> bool:
        """Write down what follows from what is known; return whether something did."""
        for number in decisions.pruned:
            self._end(self.state.trials[number], "pruned")
        settled = bool(decisions.pruned)
        for trial in self.state.trials:
            original = None if trial.is_over else self.state.original(trial)
            if original and original.ended:
                self._end_as(trial, original)
                settled = True
        return settled

    def _is_ready(self, trial: Trial, decisions: Decisions) -> bool:
        if trial.is_over or self.state.original(trial):
            return False
        return self.search.rungs is None or len(trial.rungs) <= decisions.level[trial.number]

    def _ask(self) -> None:
        number = len(self.state.trials)
        fixed = self._fixed(number)
        point = self._suggester.ask(fixed)
        proposal = self.proposals.of(f"trial-{number}", point)
        self._known[number] = proposal
        about = {"enqueued": number < len(self.search.enqueue), "retry_of": None}
        seed = {"seed": self.search.file.seed}
        event = {"trial": number, "event": "asked", "params": point}
        self._append({**event, **about, **seed, **proposal.asked()})
        self._refuse(self.state.trials[number], proposal)

    def _fixed(self, number: int) -> Point:
        """Return the values that are not suggested: of points picked by hand, and of a grid."""
        if number < len(self.search.enqueue):
            return self.search.enqueue[number]
        if self.search.sampler.name != "grid":
            return {}
        if self._grid is None:
            points = list(self.search.space.points())
            rng = np.random.default_rng(address(self.search.sampler.seed, "grid"))
            self._grid = [points[i] for i in rng.permutation(len(points))]
        return self._grid[number]

    def _refuse(self, trial: Trial, proposal: Proposal) -> bool:
        if proposal.run is None:
            why = {"violations": proposal.violations, "reason": proposal.reason}
            self._append({"trial": trial.number, "event": "infeasible", **why})
        return proposal.run is None

    def _proposal(self, trial: Trial) -> Proposal:
        """Return what a trial trains; of one from before this process it is built again.

        Raises:
            AblateError: today's code would train something else.
        """
        if trial.number not in self._known:
            again = self.proposals.of(f"trial-{trial.number}", trial.params)
            now = again.run.run_id if again.run else None
            if now != trial.run_id:
                changed = f"trial {trial.number} was the run {trial.run_id}, and would now be {now}"
                raise AblateError(f"{changed}: the data, the code or a component has changed")
            self._known[trial.number] = again
        return self._known[trial.number]

    def _begin(self, trial: Trial, engine: Engine) -> None:
        """Train a trial to its next stop, unless the store knows already what comes there."""
        proposal = self._proposal(trial)
        if self._refuse(trial, proposal):
            return
        assert proposal.run
        attempt = self._attempt(trial, proposal)
        rungs = self.search.rungs
        until = rungs.at[len(trial.rungs)] if rungs else None if self.search.pruner else 1.0
        leg = Leg(trial.number, proposal.run, attempt, until)
        if self._has_come(leg) and ((until or 1.0) < 1.0 or not _unscored(leg)):
            self._record(LegEnded(leg))
            return
        newest = attempt.checkpoints.newest(lambda _: None)
        started = {
            "worker": engine.start(leg),
            "attempt": f"{attempt.environment}/{attempt.number}",
            "from_step": newest.step if newest else 0,
        }
        self._append({"trial": trial.number, "event": "started", **started})

    def _attempt(self, trial: Trial, proposal: Proposal) -> Attempt:
        """Return the attempt that a trial is, or goes on with."""
        assert proposal.run
        run = proposal.run
        if trial.number not in self._attempts:
            earlier = next(
                (
                    attempt
                    for attempt in self.proposals.store.attempts(run.run_id)
                    if f"{attempt.environment}/{attempt.number}" == trial.attempt
                    and attempt.read_result()
                ),
                None,
            )
            self._attempts[trial.number] = (
                run.done
                or earlier
                or run.interrupted
                or self.proposals.store.new_attempt(run.run_id, run.environment)
            )
        return self._attempts[trial.number]

    def _has_come(self, leg: Leg) -> bool:
        """Whether a leg's stop is in the store, durably."""
        if leg.attempt.read_result():
            return True
        point = _evaluation(leg.attempt, leg.until) if leg.until else None
        saved = leg.attempt.checkpoints.newest(lambda _: None) if point else None
        return bool(point and saved and saved.step >= point["step"])

    def _record(self, ended: LegEnded) -> None:
        """Write down where a leg has come to."""
        trial, attempt = self.state.trials[ended.leg.number], ended.leg.attempt
        until = ended.leg.until
        try:
            result = attempt.read_result()
        except StoreError as error:
            self._end(trial, "failed", cause=str(error))
            return
        if ended.cause and _unscored(ended.leg):
            result = None  # it goes on with the scoring
        if until is None and result and self._is_pruned_on_the_way(trial, attempt):
            self._end(trial, "pruned")
        elif until is not None and until < 1 and self._has_come(ended.leg):
            point = _evaluation(attempt, until)
            if point:
                self._append_rung(trial, point, pauses=True)
            elif result:  # it went wrong before
                self._conclude(trial, attempt, result)
        elif result:
            self._conclude(trial, attempt, result)
        elif until is None and trial.rungs and self._stops(trial):
            self._end(trial, "pruned")
        else:
            cause = ended.cause or "its process ended and left no result"
            self._lose(trial, "worker", cause)
            if trial.deaths >= MOST_DEATHS:
                self._end(trial, "failed", cause=f"{cause}, {trial.deaths} times")

    def _is_pruned_on_the_way(self, trial: Trial, attempt: Attempt) -> bool:
        """Show the pruner what a run that is in the store evaluated, as if it were trained now."""
        points = [p for p in attempt.read_curve() if p.get("val_loss") is not None]
        return any(self.judge(trial.number, p) for p in points if p["fraction"] < 1 - NEARLY)

    def _stops(self, trial: Trial) -> bool:
        return self._suggester.stops(trial.number, step_of(trial.rungs[-1]["fraction"]))

    def _conclude(self, trial: Trial, attempt: Attempt, result: Result) -> None:
        """Write down how a training ended."""
        proposal = self._proposal(trial)
        assert proposal.arm and proposal.run
        spent: dict[str, Any] = {key: result.metrics.get(key) for key in ("flops", "tokens")}
        spent["seconds"] = result.seconds
        if proposal.run.done:
            spent["reused"] = True
        if result.status is not Status.DONE:
            self._end(trial, str(result.status), cause=result.cause, **spent)
            return
        values = final_values(self.search.objectives, proposal.arm, proposal.run, attempt)
        if unknown := [key for key, value in values.items() if value is None]:
            cause = f"the run has no {', '.join(unknown)}"
            self._end(trial, "failed", cause=cause, **spent)
        else:
            self._end(trial, "done", values=values, **spent)

    def _append_rung(self, trial: Trial, point: CurvePoint, pauses: bool) -> None:
        proposal = self._proposal(trial)
        assert proposal.arm and proposal.run
        event = {
            "trial": trial.number,
            "event": "rung",
            "fraction": point["fraction"],
            "values": values_at(self.search.objectives, proposal.arm, point),
            "pauses": pauses,
            **{key: point[key] for key in ("seconds", "flops", "tokens")},
        }
        self._append(event | ({"reused": True} if proposal.run.done else {}))

    def _end(self, trial: Trial, status: str, cause: str | None = None, **about: Any) -> None:
        last = trial.rungs[-1] if trial.rungs else {}
        whole = {
            "status": status,
            "values": dict(last["values"]) if status == "pruned" else None,
            "cause": cause,
            "rung": 1.0 if status == "done" else last.get("fraction"),
            "same_as": None,
            **{key: last.get(key, 0) for key in ("seconds", "flops", "tokens")},
            **({"reused": True} if last.get("reused") else {}),
            **about,
        }
        self._append({"trial": trial.number, "event": "ended", **whole})

    def _end_as(self, trial: Trial, original: Trial) -> None:
        """End a trial that is the run of an earlier one as that has ended."""
        assert original.ended
        same = {key: original.ended[key] for key in ("values", "cause", "rung")}
        same["pruned"] = original.status == "pruned" or original.ended.get("pruned", False)
        self._end(trial, "duplicate", same_as=original.number, seconds=0, flops=0, tokens=0, **same)

    def _lose(self, trial: Trial, worker: str | None, cause: str) -> None:
        lost = {"event": "lost", "worker": worker, "cause": cause}
        self._append({"trial": trial.number, **lost})

    def _append(self, event: dict[str, Any]) -> None:
        whole = self.files.append(event)
        self.state.apply(whole)
        self._suggester.apply(whole)
        if self._mirror:
            self._mirror.apply([whole])
        self._news.append(whole)


def _unscored(leg: Leg) -> bool:
    """Whether a training is done whose weights are yet to be scored."""
    if leg.attempt.status is not Status.DONE:
        return False
    return not all(leg.attempt.has_measured(name) for name in leg.run.measurements.values())


def _evaluation(attempt: Attempt, fraction: float | None) -> CurvePoint | None:
    """Return the first evaluation at or after a fraction of the budget."""
    points = (p for p in attempt.read_curve() if p.get("val_loss") is not None)
    return next((p for p in points if p["fraction"] >= (fraction or 1.0) - NEARLY), None)
