"""How fast the arms of an experiment train and answer, as measured together on one machine."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.store.atomic import write_json
from harness.store.errors import StoreError
from harness.store.tables import Plan

FILE = "latency.json"


@dataclass(frozen=True)
class Speed:
    """Medians over interleaved rounds, of one arm."""

    prefill_tokens_per_s: float
    decode_ms_per_token: float
    prefill_spread: float
    """Distance between the quartiles of the rounds, as a share of the median."""
    decode_spread: float
    variant: Mapping[str, Any]
    """What was measured: an arm that has since changed is not shown with it."""
    train_tokens_per_s: float | None = None
    """None in files of before it was measured."""
    train_spread: float | None = None


@dataclass(frozen=True)
class Latency:
    """The arms' speeds, and what they were measured on: never pooled with another machine's."""

    environment: Mapping[str, Any]
    n_prompt: int
    n_new: int
    rounds: int
    arms: Mapping[str, Speed]

    @property
    def has_training(self) -> bool:
        """Whether training was timed too, of every arm."""
        return all(speed.train_tokens_per_s is not None for speed in self.arms.values())

    def of(self, arm: str) -> Speed | None:
        """Return an arm's speed, None if it was not measured."""
        return self.arms.get(arm)

    @property
    def words(self) -> str:
        """Say what was measured, and where."""
        env = self.environment
        where = env.get("gpu") or f"{env['threads']} CPU thread{'s' * (env['threads'] != 1)}"
        what = f"a prompt of {self.n_prompt} tokens and {self.n_new} that follow it, one sequence"
        if self.has_training:
            what = f"training steps of each arm's own batch; {what}"
        return f"{what}; medians of {self.rounds} interleaved rounds on {where} ({env['class']})"


def write_latency(folder: Path, latency: Latency) -> None:
    """Replace what an experiment's folder says about speed."""
    write_json(folder / FILE, asdict(latency))


def read_latency(folder: Path, plan: Plan) -> Latency | None:
    """Read the speeds of the arms that are as they were measured; None if there are none.

    Raises:
        StoreError: the file is corrupt.
    """
    path = folder / FILE
    try:
        found = json.loads(path.read_bytes())
        arms = {name: Speed(**speed) for name, speed in found.pop("arms").items()}
        latency = Latency(**found, arms=_still_true(arms, plan))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise StoreError(path, f"corrupt: {error}") from None
    return latency if latency.arms else None


def _still_true(arms: Mapping[str, Speed], plan: Plan) -> dict[str, Speed]:
    planned = {name: arm["variant"] for name, arm in plan["arms"].items()}
    return {name: speed for name, speed in arms.items() if planned.get(name) == speed.variant}
