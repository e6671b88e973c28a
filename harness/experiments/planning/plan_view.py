"""A plan for the terminal: arms, matched dims, costs, time, and what the seeds can resolve."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.effects.brackets import bracket_lines
from harness.analysis.units import count, size
from harness.analysis.verdicts.history import History
from harness.analysis.verdicts.residuals import residual_lines
from harness.analysis.words.effects_view import design_lines
from harness.experiments.planning.planned import ExperimentPlan
from harness.experiments.planning.power import resolution
from harness.experiments.planning.prepared import PreparedArm, data_lines
from harness.experiments.planning.tuning_view import stage_words, tuning_lines
from harness.quantities import format_duration
from harness.terminal import plain_table


def plan_view(
    plan: ExperimentPlan,
    data: Mapping[str, PreparedArm],
    seconds: float | None,
    history: History,
) -> RenderableType:
    """Draw a plan; `seconds` is the time estimate, `history` what the store says of seeds."""
    record = plan.record
    lines = [
        _sentence("held equal", record["held_equal"]),
        _sentence("differs", record["differs"] or ["neither a setting nor a cost"]),
        *design_lines(record),
        *bracket_lines(record),
        *_same_runs(record),
        *_updates(record),
        *residual_lines(record),
        *tuning_lines(plan),
        *_rule(record),
        *_effort(plan, seconds),
        *data_lines(data),
        *resolution(record, history),
        *_to_confirm(plan),
    ]
    question = Text(record["question"] or record["name"], style="bold")
    return Group(question, Text(), _arms(record), Text(), *(Text(line) for line in lines))


def _rule(record: dict[str, Any]) -> Iterator[str]:
    if rule := record["seeds_rule"]:
        goal = f"half an interval of {rule['resolve']:g} {record['metric']} takes"
        yield f"seeds: a pilot of {rule['pilot']}, then as many as {goal}, {rule['max']} at most"


def condition_view(
    plan: ExperimentPlan, data: Mapping[str, PreparedArm], seconds: float | None
) -> RenderableType:
    """Draw the plan of a condition: what is not the same as in that of the main experiment."""
    record = plan.record
    condition = record["condition"]
    lines = [
        _sentence("held equal", record["held_equal"]),
        *bracket_lines(record),
        *_effort(plan, seconds),
        *data_lines(data),
    ]
    title = Text(f"{condition['kind']} {condition['name']}", style="bold")
    return Group(Text(), title, Text(), _arms(record), Text(), *(Text(line) for line in lines))


def _effort(plan: ExperimentPlan, seconds: float | None) -> Iterator[str]:
    yield f"runs: {_runs(plan)}; {plan.work}"
    time = f"about {format_duration(seconds)}" if seconds is not None else "not estimated"
    yield f"time: {time} on {plan.device}"


def _to_confirm(plan: ExperimentPlan) -> Iterator[str]:
    if n := plan.resolved.experiment.confirm:
        what = f"contrasts that are resolved will be asked again on {n} fresh seeds"
        yield f"{what}: at most {n * len(plan.arms)} runs more"


def _runs(plan: ExperimentPlan) -> str:
    if plan.resolved.is_staged:
        return stage_words(plan)
    stored = len(plan.runs) - len(plan.pending)
    arms_and_seeds = f"{len(plan.arms)} arms x {len(plan.record['seeds'])} seeds"
    return f"{len(plan.runs)} ({arms_and_seeds}), {stored} already in the store"


def plan_dict(
    plan: ExperimentPlan, data: Mapping[str, PreparedArm], seconds: float | None
) -> dict[str, Any]:
    """Return the plan as plain data for JSON."""
    return {
        **plan.record,
        "pending": len(plan.pending),
        "expected": len(plan.expected),
        "seconds": seconds,
        "device": str(plan.device),
        "data": {
            name: {**arm.exposure._asdict(), "left_out": dict(arm.left_out)}
            for name, arm in data.items()
        },
    }


def _same_runs(record: dict[str, Any]) -> Iterator[str]:
    """Name arms that are the same runs, evaluated alike."""
    by_run: dict[tuple[str, str | None], list[str]] = {}
    first = {run["arm"]: run for run in reversed(record["runs"])}  # of the same seed and trial
    for arm in record["arms"]:
        by_run.setdefault((first[arm]["run_id"], first[arm]["measurement"]), []).append(arm)
    for arms in by_run.values():
        if len(arms) > 1:
            yield f"the same: {', '.join(arms)}; there is nothing to compare between them"


def _updates(record: dict[str, Any]) -> Iterator[str]:
    """Say what optimizers multiply, where they do: it is charged to budgets in FLOPs."""
    arms_by_share: dict[str, list[str]] = {}
    for name, arm in record["arms"].items():
        train, update = (arm["cost"][f"{key}_flops_per_token"] for key in ("train", "update"))
        if update:
            share = f"{update / (train + update):.0%} ({arm['train']['optimizer']['name']})"
            arms_by_share.setdefault(share, []).append(name)
    if arms_by_share:
        shares = (f"{share} in {', '.join(arms)}" for share, arms in arms_by_share.items())
        yield f"updates take, of the training FLOPs: {'; '.join(shares)}"


def _arms(record: dict[str, Any]) -> Table:
    table = plain_table()
    table.add_column("arm", overflow="fold")
    table.add_column("changes", overflow="fold", ratio=1)
    lengths = {arm["cost"]["cache_seq_len"] for arm in record["arms"].values()}
    cache = f"cache,\nT={lengths.pop()}" if len(lengths) == 1 else "cache"
    matches = ["match"] if record["match"] else []
    by = record["match"]["by"] if record["match"] else "d_ff"
    for column in (by.replace(".", ".\n"), "params", "FLOPs/\ntoken", cache, *matches):
        table.add_column(column, justify="right")
    for name, arm in record["arms"].items():
        matched, cost = arm["matched"], arm["cost"]
        moved = matched["after"] != matched["before"]
        as_written = "-" if matched["after"] is None else str(matched["after"])
        table.add_row(
            Text(name + (" *" if name == record["baseline"] else "")),
            Text(", ".join(describe_changes(arm["changes"])) or "-"),
            f"{matched['before']} → {matched['after']}" if moved else as_written,
            count(cost["params"]),
            count(cost["train_flops_per_token"]),
            size(cost["cache_bytes"]),
            *(f"{100 * matched['residual']:+.2f} %" for _ in matches),
        )
    table.caption = "* baseline"
    table.caption_justify = "left"
    return table


def describe_changes(changes: dict[str, Any], prefix: str = "") -> list[str]:
    """Write a patch as `attention: mqa`, `optimizer.lr: 0.01`, one phrase a leaf."""
    phrases = []
    for key, value in changes.items():
        path = key if prefix in ("", "variant", "data", "train") else f"{prefix}.{key}"
        if isinstance(value, dict) and "name" not in value:
            phrases += describe_changes(value, path)
        else:
            phrases.append(f"{path}: {_written(value)}")
    return phrases


def _written(value: Any) -> str:
    """Write a value, components as `name(option=value)` and equal ones of a list together."""
    if isinstance(value, list):
        runs = [(_written(item), len(list(same))) for item, same in groupby(value)]
        return ", ".join(text if n == 1 else f"{n} x {text}" for text, n in runs)
    if not isinstance(value, dict):
        return str(value)
    options = ", ".join(f"{k}={_written(v)}" for k, v in value.items() if k != "name")
    return f"{value['name']}({options})" if options else str(value["name"])


def _sentence(label: str, phrases: list[str]) -> str:
    return f"{label}: {', '.join(phrases)}"
