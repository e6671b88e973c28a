"""A study in sentences: what was best, what it cost, and what of it is confirmed."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from harness.analysis.study.confirmed import confirmed, unconfirmed
from harness.analysis.study.front import front
from harness.analysis.study.hypervolume import hypervolume_of, reference_point, share_of_box
from harness.analysis.study.names import PREFIX, short_names
from harness.analysis.study.objectives import Objective
from harness.analysis.study.read import Study
from harness.analysis.study.spent import spent
from harness.analysis.study.trials import ENDED, WAITING
from harness.analysis.units import count, share
from harness.analysis.words.sentences import sentence
from harness.quantities import format_duration

MOST_SHOWN = 8
"""Of the trials of a front, for the terminal."""


def study_lines(study: Study) -> Iterator[str]:
    """Say where a study is, line by line: counts, the best, volume, compute, confirmation."""
    yield count_words(study)
    yield from best_lines(study)
    yield from volume_lines(study)
    yield spent_words(study)
    yield from confirmation_lines(study)


def count_words(study: Study) -> str:
    """Count the trials by what became of them: `61 done, 24 pruned, 15 infeasible of 100`."""
    found = study.trials["status"].value_counts()
    kinds = [f"{found[status]} {status}" for status in (*ENDED, *WAITING) if status in found]
    return f"trials: {', '.join(kinds) or 'none'} of {study.definition['trials']}"


def best_lines(study: Study) -> Iterator[str]:
    """Name the best trial, or those of the front, as what they are: one run each."""
    best = front(study.trials, study.objectives)
    if best.empty:
        yield "no trial is done yet: there is no best one"
        return
    rows = best.to_dict("records")
    if len(study.objectives) == 1:
        yield f"best: {trial_words(study, rows[0])}"
        return
    what = " against ".join(one.key for one in study.objectives)
    yield f"front of {what}: {len(rows)} trials"
    yield from (f"  {trial_words(study, row)}" for row in rows[:MOST_SHOWN])
    if len(rows) > MOST_SHOWN:
        yield f"  and {len(rows) - MOST_SHOWN} more"


def trial_words(study: Study, row: Mapping[Any, Any]) -> str:
    """Write a trial: `trial 17: val_bpb 1.7421, kv_bytes 16.4 kB (attention=gqa, n_layers=4)`."""
    values = ", ".join(f"{one.key} {one.words(row[one.column])}" for one in study.objectives)
    return f"trial {row['number']}: {values} ({params_words(row) or 'no parameters'})"


def params_words(row: Mapping[Any, Any]) -> str:
    """Write what was suggested for a trial, without the branches that it did not take."""
    names = short_names(str(k).removeprefix(PREFIX) for k in row if str(k).startswith(PREFIX))
    told = {short: row[f"{PREFIX}{name}"] for name, short in names.items()}
    return ", ".join(f"{name}={param_words(v)}" for name, v in told.items() if not pd.isna(v))


def param_words(value: object) -> str:
    """Write a suggested value: reals to three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def volume_lines(study: Study) -> Iterator[str]:
    """Tell the hypervolume of several objectives, and up to where it is measured."""
    looked_for = study.objectives
    reference = reference_point(study.trials, looked_for)
    if len(looked_for) == 1 or reference is None:
        return
    volume = hypervolume_of(study.trials, looked_for, reference)
    part = share_of_box(study.trials, looked_for, reference)
    corner = reference_words(looked_for, reference)
    yield f"hypervolume: {volume:.4g} up to {corner}, {share(part)} of the box of the best of each"


def reference_words(looked_for: tuple[Objective, ...], reference: list[float]) -> str:
    """Write a reference point: `val_bpb 2.9130, kv_bytes 57.3 kB`."""
    pairs = zip(looked_for, reference, strict=True)
    return ", ".join(f"{one.key} {one.words(value)}" for one, value in pairs)


def spent_words(study: Study) -> str:
    """Tell the compute of all trials, and the part that pruning left of it."""
    found = spent(study.trials)
    work = f"{count(found.flops)} FLOPs, {format_duration(found.seconds)} of one process"
    full = f"{found.full_trainings:.3g} trainings to the end"
    line = f"spent: {work}, as much as {full}"
    if found.saved_flops:
        line += f"; {share(found.share)} of what training each trial to its end costs"
    return line


def confirmation_lines(study: Study) -> Iterator[str]:
    """Say which verdicts rest on fresh seeds, and plainly what nothing may be claimed of."""
    about = study.confirmation
    if about is not None and (about.comparison is None or about.plan is None):
        yield f"not confirmed: the experiment {about.experiment} has not been run"
    elif about is not None and about.comparison is not None and about.plan is not None:
        of = {one.arm: one.trial for one in confirmed(study)}
        for contrast in about.comparison.contrasts:
            number = of.get(contrast.arm)
            who = "" if number is None else f"trial {number}: "
            said = sentence(contrast, about.plan)
            yield f"fresh seeds, experiment {about.experiment}: {who}{said}"
    if left := unconfirmed(study):
        yield not_confirmed_words(study, left)


def not_confirmed_words(study: Study, left: list[int]) -> str:
    """Say that a best trial is a selected run, and no finding."""
    n_done = int((study.trials["status"] == "done").sum())
    names = ", ".join(map(str, left))
    them = f"trial {names} is" if len(left) == 1 else f"trials {names} are"
    return (
        f"not confirmed: {them} the best of {n_done} single runs, chosen by the very losses shown, "
        "which on fresh seeds are expected to be worse"
    )
