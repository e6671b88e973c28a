"""Run all that a file asks: the main experiment, then the same question under its conditions."""

from collections.abc import Iterator

from rich.console import Console

from harness.experiments.planning.loading import Loaded
from harness.experiments.running.leak import look_for_leaks
from harness.experiments.running.run import HowToRun, Outcome, run_experiment
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore


def run_file(
    loaded: Loaded, runs: RunStore, experiments: ExperimentStore, how: HowToRun, console: Console
) -> Iterator[Outcome]:
    """Yield the outcome of the main experiment, and then of each of its conditions.

    Raises:
        SourceError: a plan is refused, be it of the last condition; nothing has been trained.
        KeyboardInterrupt: after the workers have stopped; what was finished is kept.
    """
    for other in loaded.conditions:
        other.plan(runs, other.device())
    main = _run(loaded, runs, experiments, how, console)
    yield main
    following = list(loaded.conditions)
    if loaded.resolved.experiment.confirm:
        again = loaded.confirmation(main.comparison)
        if again is None:
            console.print("nothing to confirm: no contrast is resolved", highlight=False)
        else:
            following.insert(0, again)
    for other in following:
        assert other.condition is not None
        name = f"{other.condition.kind} {other.condition.name}"
        console.print(f"under {name} ({other.condition.experiment}):", highlight=False)
        yield _run(other, runs, experiments, how, console)


def _run(
    loaded: Loaded, runs: RunStore, experiments: ExperimentStore, how: HowToRun, console: Console
) -> Outcome:
    """Run an experiment, and look for a leak before anybody sees what is too good."""
    outcome = run_experiment(loaded, runs, experiments, how, console)
    return look_for_leaks(outcome, runs, experiments, console)
