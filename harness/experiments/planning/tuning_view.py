"""What an experiment tunes, in lines for a person: grids, what is known by now, and the stages."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.analysis.verdicts.tuning import setting_name
from harness.experiments.planning.planned import ExperimentPlan

_STAGES = {"tuning": "tuning", "report": "report", "slope": "slope"}


def tuning_lines(plan: ExperimentPlan) -> Iterator[str]:
    """Say what every arm tries, what came of it so far, and where the arm reports."""
    tune = plan.record["tune"]
    if not tune:
        return
    names = " and ".join(map(setting_name, tune["keys"]))
    trials = f"{tune['points'] or tune['trials']} trials of the {names}"
    extended = f", up to {tune['extend']} more while the best lies at an edge"
    around = {
        "fitted": "a parabola through three settings half a step apart around the best",
        "best": "the best alone, whose error all seeds of an arm share",
    }
    yield (
        f"tuning: each arm has {trials} on {len(tune['seeds'])} seeds of their own"
        f"{extended if tune['extend'] else ''}; the report is of {around[tune['protocol']]}"
    )
    for name, arm in plan.record["arms"].items():
        yield f"  {name}: {_known(arm['tuning'])}"


def stage_words(plan: ExperimentPlan) -> str:
    """Count the runs of each stage, those in the store, and those that are only foreseen."""
    words = []
    for purpose, name in _STAGES.items():
        runs = [run for run in plan.runs if run.wanted.purpose == purpose]
        foreseen = sum(one.purpose == purpose for one in plan.expected)
        if runs or foreseen:
            stored = sum(not run.is_pending for run in runs)
            about = "about " if foreseen else ""
            words.append(f"{about}{len(runs) + foreseen} {name} ({stored} in the store)")
    return ", ".join(words)


def _known(tuning: dict[str, Any]) -> str:
    """Write `0.001, 0.002, 0.004, 0.008; best 0.004, report at 0.002, 0.004, 0.008`."""
    tried = ", ".join(map(_written, tuning["tried"]))
    if tuning["chosen"] is None:
        return f"{tried}; the best is not known yet"
    at = ", ".join(map(_written, tuning["report"]))
    found = f"{tried}; best {_written(tuning['chosen'])}, report at {at}"
    return f"{found}; at the edge of what was tried" if tuning["at_edge"] else found


def _written(setting: float | Mapping[str, float]) -> str:
    if isinstance(setting, Mapping):
        values = (f"{key.rpartition('.')[2]}={value:g}" for key, value in setting.items())
        return f"({' '.join(values)})"
    return f"{setting:g}"
