"""What a search would cost, and what came of one, for a terminal and as JSON."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.words.rendering import comparison_tables
from harness.errors import ConfigError
from harness.experiments.planning.estimate import estimate_seconds
from harness.experiments.planning.plan import make_plan
from harness.quantities import format_duration
from harness.search.confirm import winners
from harness.search.keys import Rungs
from harness.search.objectives import total_flops
from harness.search.progress import params_in_words, values_in_words
from harness.search.proposals import Proposals
from harness.search.question import Search
from harness.search.run import Searched
from harness.search.space_keys import describe
from harness.store.runs import RunStore
from harness.training.environment import choose_device

SAMPLE = 50  # random points, to see how many are feasible
SHOWN = 10  # trials, of several objectives the front first


def planned(search: Search, store: RunStore, workers: int | None) -> dict[str, Any]:
    """Say what a search would do: its space, the share that is feasible, and the time.

    Raises:
        SourceError: the base cannot be built.
    """
    device = choose_device(search.file.device)
    try:
        proposals = Proposals(search, store, device)
        base = make_plan(search.base, store, device, search.source.name)
    except ConfigError as error:
        raise search.source.error(error) from None
    drawn = proposals.draw(SAMPLE)
    arms = [proposal.arm for proposal in drawn if proposal.run and proposal.arm]
    share = len(arms) / len(drawn)
    seconds = None if base.runs[0].done else estimate_seconds(base, 1)
    ratio = _mean([total_flops(arm) for arm in arms]) / total_flops(proposals.base) if arms else 0.0
    trained = search.n_trials * share
    budgets = trained * budget_share(search.rungs)
    return {
        "name": search.name,
        "space": {one.name: describe(one) for one in search.space.parameters},
        "points": search.space.size,
        "trials": search.n_trials,
        "sampler": search.sampler.to_dict(),
        "feasible": share,
        "refused": Counter(p.reason for p in drawn if p.reason).most_common(5),
        "full_trainings": budgets,
        "seconds": None
        if seconds is None or not math.isfinite(ratio)
        else seconds * ratio * budgets / (workers or 1),
        "workers": workers or 1,
    }


def budget_share(rungs: Rungs | None) -> float:
    """Return the mean share of its budget that a trial is given."""
    if rungs is None:
        return 1.0
    steps = zip(rungs.at, [0.0, *rungs.at[:-1]], strict=True)
    return sum((at - before) * rungs.keep**i for i, (at, before) in enumerate(steps))


def plan_lines(found: dict[str, Any]) -> Iterator[str]:
    """Write a plan for a person."""
    size = "a continuum" if found["points"] is None else f"{found['points']} points"
    yield f"{found['name']}: {found['trials']} trials of {size}, sampler {found['sampler']['name']}"
    for name, values in found["space"].items():
        yield f"  {name}: {values}"
    yield f"feasible: {found['feasible']:.0%} of {SAMPLE} random points"
    for reason, n in found["refused"]:
        yield f"  refused {n} times: {reason}"
    worth = f"about {found['full_trainings']:.3g} trainings to the end"
    if found["seconds"] is None:
        yield f"compute: {worth}"
    else:
        each = f"{found['workers']} at a time"
        yield f"compute: {worth}, about {format_duration(found['seconds'])}, {each}"


def searched_view(search: Search, done: Searched) -> RenderableType:
    """Draw the best trials, and the verdict on those that were confirmed."""
    table = Table(title=Text(search.name), title_justify="left", box=None, pad_edge=False)
    for column in ("trial", *(o.key for o in search.objectives), "settings"):
        table.add_column(column, overflow="fold")
    for trial in winners(done.state, search.objectives, SHOWN):
        values = [values_in_words({o.key: trial.values.get(o.key)}) for o in search.objectives]
        table.add_row(
            str(trial.number), *(v.rpartition(" ")[2] for v in values), params_in_words(trial)
        )
    parts: list[RenderableType] = [table, Text(counts_line(done))]
    if done.verdict:
        parts += comparison_tables(done.verdict.comparison, done.verdict.plan.record)
    else:
        caution = "trials are compared with one seed: what is best here may be luck"
        parts.append(Text(f"{caution}; `confirm` trains winners again on fresh ones"))
    return Group(*parts)


def searched_dict(search: Search, done: Searched) -> dict[str, Any]:
    """Return the same as plain data for JSON."""
    return {
        "name": search.name,
        "counts": dict(_counts(done)),
        "best": [
            {"trial": trial.number, "params": trial.params, "values": dict(trial.values)}
            for trial in winners(done.state, search.objectives, SHOWN)
        ],
        "confirmed": done.state.confirmed,
    }


def counts_line(done: Searched) -> str:
    """Count the trials by how they ended."""
    counts = ", ".join(f"{n} {status}" for status, n in _counts(done).items())
    return f"{len(done.state.trials)} trials: {counts}"


def _counts(done: Searched) -> Counter[str]:
    return Counter(trial.status for trial in done.state.trials)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
