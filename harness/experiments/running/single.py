"""One run by itself: a preset, or an arm of an experiment's file."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table

from harness.errors import AblateError, unknown
from harness.experiments.files.overrides import override
from harness.experiments.files.yaml_source import Source, read_yaml
from harness.experiments.planning.loading import Loaded, load_source
from harness.experiments.planning.planned import ExperimentPlan
from harness.experiments.planning.prepared import data_lines
from harness.experiments.running.display import show
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_inline, run_workers
from harness.experiments.running.run import terminated_as_interrupted
from harness.quantities import format_count, format_duration
from harness.store.attempt import Attempt
from harness.store.runs import RunStore
from variants.presets import PRESETS, preset

BUDGET = {"tokens": "500k"}  # of a preset, if nothing else is said
METRICS = {
    "val_loss": "held-out loss, nats per token",
    "val_perplexity": "perplexity",
    "val_accuracy": "accuracy",
    "val_bpb": "bits per byte",
}


def load_single(what: str, overrides: Sequence[str], seed: int) -> Loaded:
    """Read what `ablate train` is given: an experiment's file, or the name of a preset.

    Raises:
        SourceError: every mistake in the file, each with its line.
        AblateError: there is neither such a file nor such a preset.
    """
    path = Path(what)
    if what in PRESETS:
        source, folder = Source(what, _of_preset(what), (), {}), Path()
    elif path.suffix in (".yaml", ".yml") or path.exists():
        source, folder = read_yaml(path), path.parent
    else:
        raise AblateError(f"{what!r} is no file; {unknown('preset', what, PRESETS)}")
    data = {"name": path.stem, **source.data, "seeds": [seed]}
    if not data.get("arms") and not data.get("factors"):
        data["arms"] = {"base": None}
    source = override(replace(source, data=data), overrides)
    if what in PRESETS:
        source.data["base"].setdefault("train", {}).setdefault("budget", BUDGET)
    loaded = load_source(source, folder)
    # one run tunes nothing: it has the settings as they are written
    return replace(loaded, resolved=replace(loaded.resolved, tune=None))


def train_single(
    loaded: Loaded, arm: str | None, runs: RunStore, how: Execution, inline: bool, console: Console
) -> Attempt:
    """Train one arm, the baseline by default, unless the store has its run.

    Returns:
        Its attempt; whether it is done, has failed or diverged says the attempt.

    Raises:
        AblateError: there is no such arm.
    """
    plan = _only(loaded.plan(runs, how.device), arm or loaded.resolved.baseline)
    (run,) = plan.runs
    if run.done:
        console.print(f"run {run.run_id} is in the store already", highlight=False)
        return run.done
    for line in data_lines(loaded.prepare_data(plan)):
        console.print(line, highlight=False)
    console.print(f"run {run.run_id}: {plan.work}, on {plan.device}", highlight=False)
    events = run_inline([run], runs, how) if inline else run_workers([run], runs, how, workers=1)
    with terminated_as_interrupted(), contextlib.closing(events):
        list(show(events, 1, console))
    attempt = runs.best_attempt(run.run_id, run.environment)
    assert attempt
    return attempt


def single_view(attempt: Attempt) -> RenderableType:
    """Draw what came of a run, and where it is kept."""
    result = attempt.read_result()
    assert result
    metrics = result.metrics
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, label in METRICS.items():
        if name in metrics:
            table.add_row(label, f"{metrics[name]:.4f}")
    spent = f"{format_count(metrics['tokens'] or 0)} tokens, {metrics['steps']} steps"
    table.add_row("training", f"{spent}, {format_duration(result.seconds)}")
    table.add_row("weights", str(attempt.weights))
    return table


def single_dict(attempt: Attempt) -> dict[str, Any]:
    """Return the same as plain data for JSON."""
    result = attempt.read_result()
    assert result
    where = {"run_id": attempt.run_id, "weights": str(attempt.weights)}
    return {**where, "seconds": result.seconds, "metrics": result.metrics}


def _of_preset(name: str) -> dict[str, Any]:
    base: dict[str, Any] = {"variant": {"preset": name}}
    written = preset(name)
    if "vocab_size" in written:
        base["data"] = {"tokenizer": {"name": "bpe", "vocab_size": written["vocab_size"]}}
    return {"base": base, "match": "none"}


def _only(plan: ExperimentPlan, arm: str) -> ExperimentPlan:
    if arm not in plan.arms:
        raise AblateError(unknown("arm", arm, plan.arms))
    runs = [run for run in plan.runs if run.arm == arm]
    return replace(plan, arms={arm: plan.arms[arm]}, runs=runs)
