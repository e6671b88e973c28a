"""The winners of a study beside its base, on fresh seeds: an ordinary experiment with a verdict."""

from collections.abc import Sequence

from harness.experiments.files.yaml_source import Source
from harness.experiments.planning.loading import Loaded, load_source
from harness.experiments.question.conditions import FIRST_FRESH_SEED
from harness.search.halving import losses_of
from harness.search.objectives import Objective
from harness.search.question import BASE, Search
from harness.search.ranking import order
from harness.search.state import StudyState, Trial


def winners(state: StudyState, objectives: Sequence[Objective], top: int) -> list[Trial]:
    """Return the best trials that were trained to the end: first those on the front."""
    done = state.done
    ranked = order([losses_of(dict(trial.values), objectives) for trial in done]) if done else []
    return [done[i] for i in ranked[:top]]


def arm_name(trial: Trial) -> str:
    """Name a trial as an arm."""
    return f"trial-{trial.number}"


def confirming(search: Search, trials: Sequence[Trial]) -> Loaded:
    """Return the experiment that asks of each trial whether it is better than the base.

    Its seeds are none that anything was chosen on.
    """
    assert search.confirm
    arms = {BASE: None} | {arm_name(t): search.space.patch(t.params) for t in trials}
    seeds = range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + search.confirm.seeds)
    asked = search.mapping(arms, seeds)
    asked |= {
        "name": f"{search.name}.confirm",
        "question": search.file.question or f"Do the winners of {search.name} hold?",
        "baseline": BASE,
        "contrasts": {arm_name(t): f"{arm_name(t)} - {BASE}" for t in trials},
    }
    source = Source(search.source.name, asked, search.source.lines, search.source.marks)
    return load_source(source, search.folder)
