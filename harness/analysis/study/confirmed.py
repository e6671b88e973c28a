"""Which trials were trained again, and what came of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from harness.analysis.statistics.verdict import Verdict
from harness.analysis.study.front import front
from harness.analysis.study.read import Study
from harness.analysis.verdicts.contrasts import Contrast


@dataclass(frozen=True)
class Confirmed:
    """A trial, the arm that it was trained again as, and its verdict."""

    trial: int
    arm: str
    contrast: Contrast | None
    """Against the baseline; None if that was not judged."""


def confirmed(study: Study) -> list[Confirmed]:
    """Return the confirmed trials in their order; none before the runs are judged.

    The arms of the confirming experiment are the trials in the event's order, beside the baseline.
    """
    about = study.confirmation
    if about is None or about.plan is None or about.comparison is None:
        return []
    baseline = about.plan["baseline"]
    arms = [arm for arm in about.plan["arms"] if arm != baseline]
    if len(arms) != len(about.trials):
        return []
    against = {c.arm: c for c in about.comparison.contrasts if c.baseline == baseline}
    return [
        Confirmed(trial, arm, against.get(arm))
        for trial, arm in zip(about.trials, arms, strict=True)
    ]


def unconfirmed(study: Study) -> list[int]:
    """Return the best trials of which nothing may be claimed: no verdict rests on fresh seeds."""
    judged = {
        one.trial
        for one in confirmed(study)
        if one.contrast and one.contrast.verdict is not Verdict.REFUSED
    }
    best = front(study.trials, study.objectives)
    return [number for number in best["number"].tolist() if number not in judged]


def summary_frame(study: Study) -> pd.DataFrame:
    """Return the best trials and the confirmed ones, each with what its confirmation found."""
    best = front(study.trials, study.objectives)
    found = {one.trial: one for one in confirmed(study)}
    others = study.trials["number"].isin(found) & ~study.trials["number"].isin(best["number"])
    shown = pd.concat([best, study.trials[others]])
    columns = [
        column
        for column in shown.columns
        if column in ("number", "seed", "run_id", "seconds", "flops")
        or column.startswith(("params.", "objective.", "cost."))
    ]
    table = shown[[name for name in columns if "@" not in name]]
    ours = [found.get(number) for number in table["number"]]
    told = pd.DataFrame(
        [dict(_told(one)) if one else {} for one in ours],
        columns=list(_TOLD),
        index=table.index,
    )
    on_front = table["number"].isin(best["number"])
    return pd.concat([table.assign(is_best=on_front), told.astype(_TOLD)], axis=1)


_TOLD = {
    **dict.fromkeys(("confirmed_as", "verdict"), "str"),
    "n": "Int64",
    **dict.fromkeys(("difference", "low", "high"), "float64"),
}


def _told(one: Confirmed) -> Iterator[tuple[str, object]]:
    yield "confirmed_as", one.arm
    if one.contrast:
        yield "verdict", str(one.contrast.verdict)
        for name in ("n", "difference", "low", "high"):
            yield name, getattr(one.contrast, name)
