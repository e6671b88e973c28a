"""Synchronous successive halving: which trials go on beyond a rung, decided for a cohort at once.

Trials of a cohort are compared at equal fractions of one final budget, to which the schedule of
each is tied; a trial that goes on is continued from its checkpoint.

Source:
    Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
    optimization", arXiv:1502.07943. Here trials come in cohorts, so that a sampler learns from
    earlier ones; with several objectives, the order is that of `ranking`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.search.keys import Rungs
from harness.search.objectives import Objective
from harness.search.ranking import order
from harness.search.state import StudyState, Trial


@dataclass(frozen=True)
class Decisions:
    """How far each trial may go, as a place among the rungs, and which go no further."""

    level: dict[int, int]
    pruned: list[int]


def decide(
    state: StudyState, rungs: Rungs, objectives: Sequence[Objective], no_more: bool
) -> Decisions:
    """Decide what can be decided.

    Args:
        state: The trials so far.
        rungs: Where they stop.
        objectives: What they are compared by, as far as it is known in training.
        no_more: Whether no further trials will be asked for: the last cohort is whole then.
    """
    level: dict[int, int] = {}
    pruned: list[int] = []
    for start in range(0, len(state.trials), rungs.size):
        cohort = state.trials[start : start + rungs.size]
        members = [t for t in cohort if not t.infeasible and state.original(t) is None]
        level |= {trial.number: 0 for trial in members}
        is_whole = no_more or len(cohort) == rungs.size
        for i in range(len(rungs.at) - 1):
            arrived = [trial for trial in members if len(trial.rungs) > i]
            if not is_whole or any(not t.ended and t not in arrived for t in members):
                break
            n_kept = max(math.ceil(rungs.keep * len(members) - 1e-9), 1)
            kept = _best(arrived, i, objectives)[:n_kept]
            pruned += [t.number for t in arrived if t not in kept and not t.ended]
            level |= {trial.number: i + 1 for trial in kept}
            members = kept
    return Decisions(level, sorted(pruned))


def _best(trials: Sequence[Trial], rung: int, objectives: Sequence[Objective]) -> list[Trial]:
    losses = [losses_of(trial.rungs[rung]["values"], objectives) for trial in trials]
    return [trials[i] for i in order(losses)] if trials else []


def losses_of(values: dict[str, float | None], objectives: Sequence[Objective]) -> list[float]:
    """Return values so that less is better; what is unknown, where others are known, is worst."""
    known = [objective for objective in objectives if objective.key in values]
    return [math.inf if (value := values[o.key]) is None else o.sign * value for o in known]
