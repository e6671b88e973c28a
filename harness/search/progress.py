"""How a search goes, line by line: what ended, the best so far, and how much is left."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console

from harness.quantities import format_duration
from harness.search.confirm import winners
from harness.search.question import Search
from harness.search.state import StudyState, Trial
from harness.store.studies import Event


class ProgressLines:
    """Turns events into lines; in a terminal the last one tells how things stand."""

    def __init__(self, search: Search, state: StudyState, console: Console) -> None:
        self._search, self._state, self._console = search, state, console
        self._started, self._before = time.monotonic(), self._n_over

    def show(self, events: Iterable[Event]) -> None:
        """Print what happens as it happens."""
        if not self._console.is_terminal:
            for event in events:
                self._print(event)
            return
        with self._console.status(self.standing) as status:
            for event in events:
                self._print(event)
                status.update(self.standing)

    @property
    def standing(self) -> str:
        """Say the best so far, what is running, and what is left."""
        counts = {
            name: self._count(name) for name in ("pruned", "infeasible", "failed", "diverged")
        }
        running = sum(trial.is_running for trial in self._state.trials)
        told = [f"{self._n_over}/{self._search.n_trials} trials", f"{running} running"]
        told += [f"{n} {name}" for name, n in counts.items() if n]
        told += [f"best {best}"] if (best := self.best) else []
        told += [f"about {left} left"] if (left := self._left) else []
        return ", ".join(told)

    @property
    def best(self) -> str | None:
        """Name the best trial that was trained to the end; of several objectives, the front."""
        objectives = self._search.objectives
        first = winners(self._state, objectives, 1)
        if not first:
            return None
        return f"{values_in_words(first[0].values)} (trial {first[0].number})"

    @property
    def _n_over(self) -> int:
        return sum(trial.is_over for trial in self._state.trials)

    @property
    def _left(self) -> str | None:
        done = self._n_over - self._before
        if done < 2:
            return None
        per_trial = (time.monotonic() - self._started) / done
        return format_duration(per_trial * (self._search.n_trials - self._n_over))

    def _count(self, status: str) -> int:
        return sum(trial.status == status for trial in self._state.trials)

    def _print(self, event: Event) -> None:
        for line in self._lines(event):
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _lines(self, event: Event) -> Iterator[str]:
        if event["trial"] < 0:
            return
        trial = self._state.trials[event["trial"]]
        name = f"trial {trial.number}"
        match event["event"]:
            case "started":
                step = event["from_step"]
                begins = f"resume   {name} after step {step}" if step else f"start    {name}"
                yield begins + f": {params_in_words(trial)}"
            case "infeasible":
                yield f"refused  {name}: {event['reason']}"
            case "rung" if event.get("pauses"):
                values = values_in_words(event["values"])
                yield f"rung     {name} at {event['fraction']:.0%}: {values}"
            case "lost":
                yield f"lost     {name}: {event['cause']}; it goes on from its checkpoint"
            case "ended":
                found = event["cause"] or values_in_words(event["values"] or {})
                yield f"{event['status']:<9}{name}: {found}  [{self.standing}]"


def values_in_words(values: Mapping[str, Any]) -> str:
    """Write `val_bpb 1.8123, kv_bytes 131072`."""
    return ", ".join(
        f"{key} {value:.5g}" if isinstance(value, float) and value < 1e5 else f"{key} {value:.0f}"
        for key, value in values.items()
        if value is not None
    )


def params_in_words(trial: Trial) -> str:
    """Write `attention gqa, lr 0.003`: the last part of each name."""
    return ", ".join(
        f"{name.rpartition('.')[2]} {value:.4g}"
        if isinstance(value, float)
        else f"{name.rpartition('.')[2]} {value}"
        for name, value in trial.params.items()
    )
