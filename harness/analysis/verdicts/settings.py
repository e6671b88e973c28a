"""In which settings, besides their components, arms agree and differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.analysis.verdicts.tuning import Arm, tuned_leaves
from harness.quantities import format_count, format_duration

_RATE_AND_SCHEDULE = "the learning rate and its schedule"


def shared_settings(arms: Sequence[Arm]) -> list[str]:
    """Name what all arms train with alike, among budget, batches, learning rate and schedule."""
    trains = [arm["train"] for arm in arms]
    equal = []
    if _alike(train["budget"] for train in trains):
        equal.append(f"the budget ({_budget_words(trains[0]['budget'])})")
    shapes = ({key: train[key] for key in ("batch_size", "seq_len")} for train in trains)
    if _alike(shapes) and _alike(arm["data"] for arm in arms):
        equal.append("the batches")
    tuned = tuned_leaves(*arms)
    if _alike(_without(tuned, train, ("optimizer", "schedule")) for train in trains):
        rate = "optimizer.lr" in tuned
        equal.append("the schedule of the learning rate" if rate else _RATE_AND_SCHEDULE)
    return equal


def setting_differences(arm: Arm, against: Arm) -> dict[str, str]:
    """Return each setting of training, data and initial weights that differs: `0.1 against 1`.

    Sizes, components and precisions are not listed: they are what arms are about. Nor are options
    that only one of two optimizers, schedules or corpora has: they go with its name; nor what was
    tuned for both arms.
    """
    ours, theirs = dict(_settings(arm)), dict(_settings(against))
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    replaced = {name.removesuffix("name") for name in names if name.endswith(".name")}
    own = {
        name for name in ours.keys() ^ theirs.keys() if name.rpartition(".")[0] + "." in replaced
    }
    tuned = tuned_leaves(arm, against)
    names = [name for name in names if name not in own | tuned]
    return {name: f"{_words(ours.get(name))} against {_words(theirs.get(name))}" for name in names}


def _without(tuned: set[str], train: Mapping[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    return {
        path: value
        for part in parts
        for path, value in _leaves(train[part], part)
        if path not in tuned
    }


def _settings(arm: Arm) -> Iterator[tuple[str, Any]]:
    if "train" not in arm:  # a plan that holds costs alone
        return
    yield from _leaves(arm["train"])
    yield from _leaves(arm["data"], "data")
    for key in ("init", "dropout"):
        yield from _leaves(arm["variant"].get(key), key)
    start = arm.get("init_from")
    yield "initial weights", f"those of {start['folder']}" if start else "drawn from the seed"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{path}.{key}" if path else key)


def _alike(values: Any) -> bool:
    first, *others = values
    return all(value == first for value in others)


def _words(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _budget_words(budget: Mapping[str, float]) -> str:
    ((unit, amount),) = budget.items()
    if unit == "seconds":
        return format_duration(amount)
    return f"{format_count(amount)} {'FLOPs' if unit == 'flops' else unit}"
