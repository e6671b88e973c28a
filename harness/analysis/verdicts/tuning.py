"""What was tuned for each arm, in words: how it was chosen, at what price, and when that fails."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from harness.quantities import format_count, format_duration
from harness.store.tables import Plan

Arm = Mapping[str, Any]
"""An arm of a `plan.json`."""

_NAMES = {"train.optimizer.lr": "learning rate"}


def setting_name(key: str) -> str:
    """Name a tuned setting in words: `train.optimizer.lr` is the learning rate."""
    return _NAMES.get(key, key.removeprefix("train."))


def tuned_leaves(*arms: Arm) -> set[str]:
    """Return the settings that were tuned for every one of the arms, as paths within `train`."""
    keys = [set((arm.get("tuning") or {}).get("keys", ())) for arm in arms]
    return {key.removeprefix("train.") for key in set.intersection(*keys)} if keys else set()


def tuning_words(plan: Plan, *names: str) -> str:
    """Say how the settings of arms were chosen, with the weakness of a cheap way; else nothing."""
    tune, arms = plan.get("tune"), [plan["arms"][name] for name in names]
    tunings = [arm.get("tuning") for arm in arms]
    if not tune or not all(tunings):
        return ""
    tried = sorted({len(tuning["tried"]) for tuning in tunings if tuning})
    n_seeds = len(tune["seeds"])
    count = " and ".join(map(str, tried))
    seeds = f"chosen on {n_seeds} other {'seed' if n_seeds == 1 else 'seeds'}"
    keys = [setting_name(key) for key in tune["keys"]]
    if tune["protocol"] == "fitted":
        around = f"three {keys[0]}s around the best of {count}"
        return f"each at the minimum of a parabola through {around} ({seeds})"
    weakness = "whose error all seeds of an arm share"
    if tune["key"] is None:
        return f"each at the best of {count} draws of {_listed(keys)} ({seeds}), {weakness}"
    return f"each at the best of {count} {keys[0]}s ({seeds}), {weakness}"


def tuning_objection(plan: Plan, name: str) -> str | None:
    """Say why the tuning of an arm allows no verdict on it; None if it does."""
    tuning = plan["arms"][name].get("tuning")
    if not tuning:
        return None
    if tuning["chosen"] is None:
        return f"the tuning of {name} is not finished"
    if not tuning["at_edge"]:
        return None
    if isinstance(tuning["chosen"], Mapping):
        return f"every draw of the settings of {name} diverged"
    tried, edge = sorted({*tuning["tried"], *tuning["report"]}), tuning["edge"]
    end = "smallest" if edge == tried[0] else "largest"
    return f"{name} is at the edge of its tuning grid ({edge:g}, the {end} of {len(tried)} tried)"


def tuning_notes(plan: Plan, runs: pd.DataFrame) -> list[str]:
    """Say what tuning has cost in all, beside the runs that answer the question."""
    if not plan.get("tune") or "purpose" not in runs:
        return []
    spent = runs[runs["purpose"] == "tuning"]
    chosen = {name: arm["tuning"]["chosen"] for name, arm in plan["arms"].items()}
    others = [
        run["setting"] != chosen[run["arm"]]
        for run in runs[runs["purpose"] == "report"].to_dict("records")
    ]
    words = f"tuning took {len(spent)} runs ({_spent_words(spent)})"
    if plan["tune"]["protocol"] == "fitted" and any(others):
        beside = runs[runs["purpose"] == "report"][others]
        words += f", and {len(beside)} report runs beside the chosen setting"
        words += f" ({_spent_words(beside)})"
    if n_diverged := int((spent["status"] == "diverged").sum()):
        words += f"; {n_diverged} of the tuning runs diverged"
    return [words]


def _spent_words(runs: pd.DataFrame) -> str:
    tokens, seconds = runs["tokens"].sum(), runs["seconds"].sum()
    return f"{format_count(float(tokens))} tokens, {format_duration(float(seconds))} of one worker"


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
