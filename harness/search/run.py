"""Run a search from its file to the confirmed verdict."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from harness.errors import ConfigError
from harness.experiments.planning.stamp import commit_of
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import default_workers
from harness.experiments.running.run import HowToRun, Outcome, terminated_as_interrupted
from harness.experiments.running.run_conditions import run_file
from harness.search.confirm import arm_name, confirming, winners
from harness.search.legs import Engine, InlineEngine, Judge, WorkerEngine
from harness.search.mirror import Mirror, rebuild
from harness.search.progress import ProgressLines
from harness.search.proposals import Proposals
from harness.search.question import FRESH, Search
from harness.search.reporting import write_tables
from harness.search.state import StudyState
from harness.search.storage import open_storage
from harness.search.supervisor import Supervisor
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.store.studies import StudyFiles, StudyStore
from harness.training.environment import choose_device, total_memory

PATIENCE_S = 30.0  # for a database, at the end


@dataclass(frozen=True)
class Searched:
    """What came of a search: its trials, and the experiment that confirms the winners."""

    state: StudyState
    verdict: Outcome | None


def run_search(search: Search, store: RunStore, how: HowToRun, console: Console) -> Searched:
    """Train what is still to be trained, and confirm the winners if the file asks for that.

    Raises:
        AblateError: the file, the study's folder or its database refuses; nothing is lost.
        KeyboardInterrupt: after the workers have stopped; the same command goes on.
    """
    device = choose_device(search.file.device)
    files = StudyStore(store.root).files(search.name)
    refuse_another(search, files)
    try:
        proposals = Proposals(search, store, device)
        if not files.exists:
            proposals.refuse_impossible()
    except ConfigError as error:
        raise search.source.error(error) from None
    with files.hold(), _mirror(search, files, console) as mirror:
        files.write_definition(_stamped(search, files))
        supervisor = Supervisor(search, proposals, files, mirror)
        execution = Execution(device, how.threads, how.checkpoint_seconds)
        engine = _engine(proposals, execution, how, supervisor.judge)
        console.print(_opening(supervisor, engine, how), highlight=False)
        events = supervisor.run(engine)
        with terminated_as_interrupted(), contextlib.closing(events):
            ProgressLines(search, supervisor.state, console).show(events)
        verdict = _confirm(search, supervisor.state, files, store, how, console)
        write_tables(StudyStore(store.root), search.name)
    return Searched(supervisor.state, verdict)


def rebuild_view(search: Search, store: RunStore) -> int:
    """Make Optuna's storage again from the events; return how many trials it has.

    Raises:
        AblateError: the study was never begun, or the storage cannot be reached.
    """
    files = StudyStore(store.root).open(search.name)
    with files.hold():
        storage = open_storage(search.file.storage, files.path)
        study = rebuild(files.read_definition(), files.events(), storage)
        return len(study.get_trials(deepcopy=False))


def refuse_another(search: Search, files: StudyFiles) -> None:
    """Refuse a study of this name that asked something else.

    Raises:
        SourceError: with the line of what has changed.
    """
    if not files.exists:
        return
    stored, now = files.read_definition(), search.definition
    for key in now:
        if key in FRESH or key == "definition" or stored.get(key) == now[key]:
            continue
        advice = f"give the search another name, or remove {files.path}"
        message = f"has changed since the study {search.name!r} was begun; {advice}"
        raise search.source.error(ConfigError.at((key,), message))
    before, after = (
        {k: v for k, v in one["definition"].items() if k not in FRESH} for one in (stored, now)
    )
    for key in {**before, **after}:
        if before.get(key) != after.get(key):
            advice = f"give the search another name, or remove {files.path}"
            message = f"has changed since the study {search.name!r} was begun; {advice}"
            raise search.source.error(ConfigError.at((key,), message))


def _stamped(search: Search, files: StudyFiles) -> dict[str, Any]:
    """Return the definition, with the time and the commit of when the study was begun."""
    earlier = files.read_definition().get("stamped") if files.exists else None
    return {**search.definition, "stamped": earlier or _stamp(search)}


def _stamp(search: Search) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"time": now, "commit": commit_of(search.folder)}


@contextlib.contextmanager
def _mirror(search: Search, files: StudyFiles, console: Console) -> Iterator[Mirror]:
    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    mirror = Mirror(search.definition, lambda: open_storage(search.file.storage, files.path), say)
    try:
        yield mirror
    finally:
        if n_left := mirror.close(PATIENCE_S):
            say(f"the study's database lacks {n_left} trials: ablate search --rebuild adds them")


def _engine(proposals: Proposals, how: Execution, asked: HowToRun, judge: Judge) -> Engine:
    if asked.inline:
        return InlineEngine(how, judge)
    device = how.device
    workers = asked.workers or default_workers(device, proposals.base.memory, total_memory(device))
    return WorkerEngine(how, judge, workers)


def _opening(supervisor: Supervisor, engine: Engine, how: HowToRun) -> str:
    search, begun = supervisor.search, len(supervisor.state.trials)
    known = f", {begun} of them asked for already" if begun else ""
    where = "in this process" if how.inline else f"{engine.size} at a time"
    return f"{search.n_trials} trials{known}; sampler {search.sampler.name}, {where}"


def _confirm(
    search: Search,
    state: StudyState,
    files: StudyFiles,
    store: RunStore,
    how: HowToRun,
    console: Console,
) -> Outcome | None:
    """Train the winners and the base on fresh seeds."""
    if search.confirm is None:
        return None
    best = winners(state, search.objectives, search.confirm.top)
    if not best:
        console.print("nothing to confirm: no trial was trained to its end", highlight=False)
        return None
    names = ", ".join(map(arm_name, best))
    console.print(f"confirming {names} on fresh seeds:", highlight=False)
    loaded = confirming(search, best)
    (outcome,) = run_file(loaded, store, ExperimentStore(store.root), how, console)
    told = {"experiment": outcome.plan.record["name"], "trials": [t.number for t in best]}
    before = state.confirmed or {}
    if {key: before.get(key) for key in told} != told:
        state.apply(files.append({"trial": -1, "event": "confirmed", **told}))
    return outcome
