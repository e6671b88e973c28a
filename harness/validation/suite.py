"""The known-answer suite: what it asks, in which order, and how it is run."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from harness.experiments.planning.loading import load_experiment
from harness.experiments.running.run import HowToRun, run_experiment
from harness.experiments.running.run import Outcome as Answer
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.validation.cache_bytes import check_cache_bytes
from harness.validation.component import check_contracts
from harness.validation.finding import Finding, Outcome
from harness.validation.leaks import check_leaks
from harness.validation.questions import FOLDER, KNOWN, Known, findings
from harness.validation.same_arms import compare_same_arms, same_arms_finding

SAME_ARMS = FOLDER / "same-arms.yaml"
QUICK: tuple[str, ...] = ()
FULL = ("seeds=8",)
MANY_RUNS = ("seeds=800",)
"""Of a full suite: a hundred experiments in which nothing differs."""


@dataclass(frozen=True)
class Suite:
    """Where it trains, and how long it may take."""

    root: Path
    console: Console
    full: bool = False
    workers: int | None = None
    folders: tuple[Path, ...] = ()
    """Of components of one's own."""

    def findings(self) -> Iterator[Finding]:
        """Ask everything, the cheapest questions first; what has been trained is not repeated."""
        for check in (check_cache_bytes, check_leaks):
            started = time.monotonic()
            yield replace(check(), seconds=time.monotonic() - started)
        for known in KNOWN:
            started = time.monotonic()
            found = list(self._ask(known))
            yield from (replace(one, seconds=time.monotonic() - started) for one in found)
        started = time.monotonic()
        yield replace(self._same_arms(), seconds=time.monotonic() - started)

    def _ask(self, known: Known) -> Iterator[Finding]:
        overrides = FULL if self.full else QUICK
        return findings(known, self._run(known.file, overrides))

    def of_component(self, component: str) -> Iterator[Finding]:
        """Ask what can be asked of a component of one's own: `SLOT/NAME`.

        One that breaks a contract, such as not to look ahead, is not trained.
        """
        slot, _, name = component.partition("/")
        contracts = list(check_contracts(component))
        yield from contracts
        if any(one.outcome is Outcome.OPPOSITE for one in contracts):
            return
        started = time.monotonic()
        found = self._same_arms(f"name=same-arms-{slot}-{name}", f"variant.{slot}={name}")
        yield replace(found, seconds=time.monotonic() - started)

    def _same_arms(self, *changes: str) -> Finding:
        """Train one variant again and again; a leak in it is refused before that."""
        answer = self._run(SAME_ARMS, [*(MANY_RUNS if self.full else QUICK), *changes])
        tables = ExperimentStore(self.root).open(answer.plan.record["name"])
        return same_arms_finding(compare_same_arms(tables.plan, tables.runs))

    def _run(self, file: Path, overrides: Sequence[str]) -> Answer:
        how = HowToRun(workers=self.workers)
        self.console.print(f"{file.stem}", style="bold", highlight=False)
        own = [f"components={json.dumps([str(one.resolve()) for one in self.folders])}"]
        loaded = load_experiment(file, [*overrides, *(own if self.folders else [])])
        stores = RunStore(self.root), ExperimentStore(self.root)
        return run_experiment(loaded, *stores, how, self.console)
