"""What has become of the trials of a study: a function of its events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.store.studies import Event


@dataclass
class Trial:
    """One point that was asked for, and what came of it."""

    number: int
    asked: Event
    infeasible: Event | None = None
    rungs: list[Event] = field(default_factory=list)
    attempt: str | None = None  # environment/number, of the newest start
    deaths: int = 0  # of workers, since it last got further
    is_running: bool = False  # as far as was written down
    ended: Event | None = None

    @property
    def params(self) -> dict[str, Any]:
        """Its values by the names of parameters."""
        return dict(self.asked["params"])

    @property
    def run_id(self) -> str | None:
        """The run that it is, None if it cannot be built."""
        found: str | None = self.asked["run_id"]
        return found

    @property
    def is_over(self) -> bool:
        """Whether nothing more will become of it."""
        return bool(self.ended or self.infeasible)

    @property
    def status(self) -> str:
        """`infeasible`, how it ended, or `open`."""
        if self.infeasible:
            return "infeasible"
        return str(self.ended["status"]) if self.ended else "open"

    @property
    def values(self) -> Mapping[str, float | None]:
        """The newest values of its objectives, none before there are any."""
        if self.ended and self.ended["values"]:
            return dict(self.ended["values"])
        return dict(self.rungs[-1]["values"]) if self.rungs else {}

    @property
    def spent(self) -> dict[str, float]:
        """The seconds, FLOPs and tokens that this study has trained it for."""
        last = self.ended or (self.rungs[-1] if self.rungs else None)
        if last is None or last.get("reused"):
            return {"seconds": 0.0, "flops": 0.0, "tokens": 0}
        return {key: last.get(key) or 0 for key in ("seconds", "flops", "tokens")}


class StudyState:
    """All trials of a study so far."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.trials: list[Trial] = []
        self.confirmed: Event | None = None
        self._first: dict[str, int] = {}
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Take in one more event."""
        kind = event["event"]
        if kind == "asked":
            trial = Trial(event["trial"], event)
            self.trials.append(trial)
            if trial.run_id:
                self._first.setdefault(trial.run_id, trial.number)
            return
        if kind == "confirmed":
            self.confirmed = event
            return
        trial = self.trials[event["trial"]]
        match kind:
            case "infeasible":
                trial.infeasible = event
            case "started":
                trial.attempt, trial.is_running = event["attempt"], True
            case "rung":
                trial.rungs.append(event)
                trial.deaths = 0
                trial.is_running = trial.is_running and not event.get("pauses")
            case "lost":
                trial.deaths += event["worker"] is not None
                trial.is_running = False
            case "ended":
                trial.ended, trial.is_running = event, False

    def original(self, trial: Trial) -> Trial | None:
        """Return the earlier trial that is the same run; None: there is none."""
        first = self._first.get(trial.run_id or "", trial.number)
        return None if first == trial.number else self.trials[first]

    def spent(self, key: str) -> float:
        """Return the sum of `seconds`, `flops` or `tokens` over all trials."""
        return sum(trial.spent[key] for trial in self.trials)

    @property
    def done(self) -> list[Trial]:
        """The trials that were trained to the end."""
        return [trial for trial in self.trials if trial.status == "done"]
