"""What was asked, and how it was to be answered."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.analysis.units import percent
from harness.analysis.verdicts.costs import signed_percent
from harness.report.document import Block, Bullets, Facts, Section, Table
from harness.report.words import changes_words, number, setting_words
from harness.store.tables import Plan

Arm = Mapping[str, Any]

_MATCH_AXES = {
    "train_flops": "training FLOPs per token",
    "params": "parameters",
    "non_embedding_params": "parameters outside the embeddings",
    "active_params": "active parameters",
    "kv_bytes": "cache bytes",
}


def question(plan: Plan) -> Section:
    """Say what was asked, when, and what was expected."""
    stamped = plan.get("stamped") or {}
    pairs = [
        ("asked", stamped.get("time") or plan.get("created") or "not noted"),
        ("commit", stamped.get("commit") or "not noted"),
        ("expected", ", ".join(f"{k}: {v}" for k, v in plan.get("expect", {}).items()) or "-"),
        ("baseline", plan["baseline"]),
        ("primary contrast", " - ".join(plan["contrasts"].get("primary", [])) or "-"),
        ("metric", plan["metric"]),
        ("intervals", f"{percent(1 - plan['alpha'])}, together in each family of contrasts"),
        ("practically equal", _margin(plan.get("practical"))),
    ]
    return Section("Question", [Facts([pair for pair in pairs if pair[1] != "-"])])


def design(plan: Plan) -> Section:
    """Say what the arms are, what was held equal, and how many runs there are."""
    blocks: list[Block] = [_arms(plan), *_equality(plan), Facts(list(_plan_facts(plan)))]
    return Section("Design", blocks)


def settings(plan: Plan) -> Section:
    """List the settings that all arms share."""
    parts = {"data": "data", "training": "train", "variant": "variant"}
    pairs = [(title, changes_words(_shared(plan, part))) for title, part in parts.items()]
    return Section("Settings of all arms", [Facts([p for p in pairs if p[1]])], folded=True)


def _margin(practical: float | str | None) -> str:
    match practical:
        case None:
            return "no margin was declared"
        case "auto":
            return "within the loss that 5 % of the compute buys"
        case _:
            return f"within {practical:g}"


def _arms(plan: Plan) -> Table:
    columns: dict[str, Callable[[Arm], str]] = {
        "changes": lambda arm: changes_words(arm.get("changes")) or "none",
        "adjusted": lambda arm: _adjusted(arm.get("matched") or {}),
        "residual": lambda arm: _residual(arm.get("matched") or {}),
        "expected loss of it": lambda arm: number((arm.get("matched") or {}).get("expected_loss")),
        "setting": lambda arm: setting_words(arm.get("tuning")),
    }
    arms: Mapping[str, Arm] = plan["arms"]
    said = {
        title: words
        for title, words in columns.items()
        if title == "changes" or any(words(arm) != "-" for arm in arms.values())
    }
    rows = [[name, *(words(arm) for words in said.values())] for name, arm in arms.items()]
    return Table("Arms", ["arm", *said], rows)


def _adjusted(matched: Arm) -> str:
    if matched.get("refused"):
        return f"refused: {matched['refused']}"
    if "before" in matched:
        return _change(matched["by"], matched["before"], matched["after"])
    for key, before in matched.items():  # plans of earlier versions name the dimension
        if key.endswith("_before"):
            dimension = key.removesuffix("_before")
            return _change(dimension, before, matched[dimension])
    return "-"


def _change(dimension: str, before: object, after: object) -> str:
    return "-" if before == after else f"{dimension}: {before} to {after}"


def _residual(matched: Arm) -> str:
    return "-" if matched.get("residual") is None else signed_percent(matched["residual"])


def _equality(plan: Plan) -> Iterator[Block]:
    yield Bullets([f"held equal: {phrase}" for phrase in plan["held_equal"]] or ["nothing matched"])
    if plan["differs"]:
        yield Bullets([f"differs: {phrase}" for phrase in plan["differs"]])


def _plan_facts(plan: Plan) -> Iterator[tuple[str, str]]:
    match plan.get("match"):
        case {"axis": axis, "within": within}:
            yield "matched", f"{_MATCH_AXES.get(axis, axis)}, within {percent(within)}"
        case None:
            yield "matched", "nothing"
        case other:
            yield "matched", str(other)
    yield "seeds", ", ".join(map(str, plan["seeds"]))
    purposes = Counter(run.get("purpose", "report") for run in plan["runs"])
    yield "runs", ", ".join(f"{n} for {purpose}" for purpose, n in sorted(purposes.items()))
    if rule := plan.get("seeds_rule"):
        half, most = rule["resolve"], rule["max"]
        yield "number of seeds", f"from a pilot of {rule['pilot']}: ±{half:g}, at most {most}"
    if tune := plan.get("tune"):
        trials = tune.get("trials") or f"{tune['points']} points, a factor of {tune['factor']:g}"
        what = tune.get("key") or "a space of settings"
        yield "tuning", f"{what}: {trials}, on {len(tune['seeds'])} seeds; {tune['protocol']}"


def _shared(plan: Plan, part: str) -> Mapping[str, Any]:
    first, *others = (arm.get(part, {}) for arm in plan["arms"].values())
    return {
        key: value for key, value in first.items() if all(arm.get(key) == value for arm in others)
    }
