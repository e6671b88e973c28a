"""What tests of searches share: to run one, to stop it anywhere, and to look at its table."""

from pathlib import Path

from rich.console import Console

from harness.experiments.running.run import HowToRun
from harness.search.question import load_search
from harness.search.run import run_search
from harness.search.state import StudyState
from harness.store.runs import RunStore
from harness.store.studies import StudyFiles, StudyStore


class Stopped(BaseException):
    """The search ends here, as if it were killed."""


def search(path, results, workers=None, inline=True):
    """Run a search in this process and return its state."""
    how = HowToRun(workers=workers, inline=inline)
    console = Console(file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        return run_search(load_search(Path(path)), RunStore(Path(results)), how, console)


def stop_after(n_events, monkeypatch):
    """Let the search die right after so many events of this process were written."""
    left = [n_events]
    append = StudyFiles.append

    def appending(self, event):
        if left[0] == 0:
            raise Stopped
        left[0] -= 1
        return append(self, event)

    monkeypatch.setattr(StudyFiles, "append", appending)


def files_of(results, name="kv"):
    return StudyStore(Path(results)).open(name)


def state_of(results, name="kv"):
    return StudyState(files_of(results, name).events())


def table(results, name="kv"):
    """Return what a search suggested and found, without anything that tells the time."""
    rows = []
    for trial in state_of(results, name).trials:
        rungs = [(rung["fraction"], rung["values"]) for rung in trial.rungs]
        ended = trial.ended and (trial.ended["values"], trial.ended["rung"], trial.ended["cause"])
        rows.append((trial.number, trial.params, trial.run_id, trial.status, rungs, ended))
    return rows
