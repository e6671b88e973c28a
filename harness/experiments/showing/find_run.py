"""Find a finished run by what people call it."""

from harness.errors import AblateError, unknown
from harness.store.attempt import Attempt
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.store.status import Status
from harness.store.tables import stands_for_arm


def find_run(name: str, runs: RunStore, experiments: ExperimentStore) -> Attempt:
    """Return a finished attempt at a run.

    Args:
        name: `EXPERIMENT/ARM/SEED`, or the beginning of a run's id.
        runs: Where runs are kept.
        experiments: Where plans are kept.

    Raises:
        AblateError: there is no such run, there are several, or it is not finished.
    """
    attempt = _planned(name, runs, experiments) if "/" in name else _by_id(name, runs)
    if attempt.status is not Status.DONE:
        raise AblateError(f"run {name} is not finished: it is {attempt.status}")
    return attempt


def is_run(name: str, runs: RunStore) -> bool:
    """Say whether `find_run` would look for a run of this name."""
    return "/" in name or any(run_id.startswith(name) for run_id in runs.runs())


def _planned(name: str, runs: RunStore, experiments: ExperimentStore) -> Attempt:
    parts = name.split("/")
    if len(parts) != 3:
        raise AblateError(f"a run is named EXPERIMENT/ARM/SEED or by its id, but got {name!r}")
    experiment, arm, seed = parts
    plan = experiments.open(experiment).plan
    if arm not in plan["arms"]:
        raise AblateError(unknown("arm", arm, plan["arms"]))
    # of replicas of a seed, the first one; of settings, the chosen one, or a trial's first
    ours = [run for run in plan["runs"] if run["arm"] == arm]
    ours.sort(key=lambda run: not stands_for_arm(plan, run))
    seeds = {str(run["seed"]): run for run in reversed(ours)}
    if seed not in seeds:
        raise AblateError(unknown("seed", seed, seeds))
    run = seeds[seed]
    which = run.get("reuses"), run.get("attempts_from", 1)
    attempt = runs.best_attempt(run["run_id"], run["environment"], *which)
    if attempt is None:
        raise AblateError(f"run {name} has not been started, or its folder was removed")
    return attempt


def _by_id(name: str, runs: RunStore) -> Attempt:
    found = [run_id for run_id in runs.runs() if run_id.startswith(name)]
    if not found:
        raise AblateError(f"there is no run {name!r} under {runs.root}")
    if len(found) > 1:
        raise AblateError(f"{len(found)} runs begin with {name!r}: {', '.join(found)}")
    attempts = runs.attempts(found[0])
    done = [attempt for attempt in attempts if attempt.status is Status.DONE]
    environments = sorted({attempt.environment for attempt in done})
    if len(environments) > 1:
        where = " and ".join(environments)
        raise AblateError(f"run {found[0]} is finished on {where}: name it EXPERIMENT/ARM/SEED")
    if not attempts:
        raise AblateError(f"run {found[0]} has no attempts")
    return max(done or attempts, key=lambda attempt: attempt.number)
