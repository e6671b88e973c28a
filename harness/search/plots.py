"""Optuna's plots of a study as plotly figures, each for one objective or for all of them."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from optuna import visualization
from optuna.exceptions import ExperimentalWarning

from harness.analysis.study.front import finished
from harness.analysis.study.hypervolume import reference_point
from harness.analysis.study.objectives import Objective
from harness.analysis.study.read import Study
from harness.analysis.study.trials import rung_values
from harness.errors import AblateError, unknown
from harness.search.importances import LEAST_TRIALS, importances
from harness.search.shown import shown_study

MOST_PAIRED = 4
"""Parameters of plots that pair all of them, if none are asked for: the most important ones."""


class TooLittle(AblateError):
    """A study has too little of something to be drawn."""


def plot(
    kind: str, study: Study, objective: str | None = None, params: Sequence[str] | None = None
) -> go.Figure:
    """Draw a plot, one of `PLOTS`.

    Args:
        kind: Its name.
        study: What is drawn.
        objective: Of plots of one objective, which; the first if none is named.
        params: Of plots of parameters, which; else those that Optuna takes, or the most important.

    Raises:
        TooLittle: too few trials are done, or the study has not what is drawn.
        AblateError: there is no such plot, objective or parameter.
    """
    if kind not in PLOTS:
        raise AblateError(unknown("plot", kind, PLOTS))
    keys = {one.key: one for one in study.objectives}
    if objective is not None and objective not in keys:
        raise AblateError(unknown("objective", objective, keys))
    for name in params or ():
        if name not in study.definition["space"]:
            raise AblateError(unknown("parameter", name, study.definition["space"]))
    one = study.objectives[0] if objective is None else keys[objective]
    about = PLOTS[kind]
    n_done = len(finished(study.trials, study.objectives))
    if n_done < about.least:
        few = f"{n_done} of at least {about.least} trials are done"
        raise TooLittle(f"{about.title}: too little to draw yet, {few}")
    return about.draw(study, one, list(params) if params else None)


Draw = Callable[[Study, Objective, list[str] | None], go.Figure]


@dataclass(frozen=True)
class Plot:
    """How something is drawn, and of how many trials that are done at least."""

    title: str
    draw: Draw
    least: int = 1


def _history(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    return visualization.plot_optimization_history(shown_study(study, [one]), target_name=one.key)


def _importances(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    _varying(study, one)
    drawn = shown_study(study, [one])
    return visualization.plot_param_importances(drawn, params=params, target_name=one.key)


def _parallel(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    drawn = shown_study(study, [one])
    return visualization.plot_parallel_coordinate(drawn, params=params, target_name=one.key)


def _slice(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    return visualization.plot_slice(shown_study(study, [one]), params=params, target_name=one.key)


def _contour(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    drawn, paired = shown_study(study, [one]), _paired(study, one, params)
    return visualization.plot_contour(drawn, params=paired, target_name=one.key)


def _rank(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    drawn, paired = shown_study(study, [one]), _paired(study, one, params)
    return visualization.plot_rank(drawn, params=paired, target_name=one.key)


def _distribution(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    return visualization.plot_edf(shown_study(study, [one]), target_name=one.key)


def _timeline(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    if study.trials.empty:
        raise TooLittle("Timeline: no trial has been asked for yet")
    return visualization.plot_timeline(shown_study(study, [one]))


def _front(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    looked_for = study.objectives
    if len(looked_for) not in (2, 3):
        words = f"is drawn of 2 or 3 objectives, but this study has {len(looked_for)}"
        raise TooLittle(f"Pareto front: it {words}")
    names = [objective.key for objective in looked_for]
    return visualization.plot_pareto_front(shown_study(study, looked_for), target_names=names)


def _volume(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    looked_for = study.objectives
    reference = reference_point(study.trials, looked_for)
    if len(looked_for) == 1 or reference is None:
        raise TooLittle("Hypervolume history: it takes several objectives, but this study has one")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return visualization.plot_hypervolume_history(shown_study(study, looked_for), reference)


def _rungs(study: Study, one: Objective, params: list[str] | None) -> go.Figure:
    """Draw values on the way; Optuna keeps none of them for studies of several objectives."""
    if not study.definition.get("rungs") and not study.definition.get("pruner"):
        raise TooLittle("Intermediate values: this study has neither rungs nor a pruner")
    known = rung_values(study.definition, study.events).dropna(subset=[one.column])
    if known.empty:
        raise TooLittle("Intermediate values: no trial has reached a rung yet")
    figure = go.Figure(layout={"title": "Intermediate Values Plot", "showlegend": False})
    for number, ours in known.groupby("number"):
        line = {"x": ours["fraction"], "y": ours[one.column], "name": f"Trial{number}"}
        figure.add_scatter(**line, mode="lines+markers")
    figure.update_xaxes(title="fraction of the budget", tickformat=".0%")
    figure.update_yaxes(title=one.key)
    return figure


def _varying(study: Study, one: Objective) -> Mapping[str, float]:
    found = importances(study).get(one.key)
    if not found:
        raise TooLittle(f"Importances: {one.key} is the same in every trial that is done")
    return found


def _paired(study: Study, one: Objective, params: list[str] | None) -> list[str]:
    """Return the parameters to pair: those asked for, or the most important ones."""
    known = finished(study.trials, study.objectives)
    there = [name for name in study.definition["space"] if known[f"params.{name}"].nunique() > 1]
    ranked = [name for name in importances(study).get(one.key, {}) if name in there]
    paired = params or [*ranked, *(name for name in there if name not in ranked)][:MOST_PAIRED]
    if len(paired) < 2:
        raise TooLittle("Pairs of parameters: it takes two that vary over the trials that are done")
    return paired


PLOTS = {
    "history": Plot("History", _history),
    "importances": Plot("Importances", _importances, LEAST_TRIALS),
    "parallel": Plot("Parallel coordinates", _parallel, 2),
    "slice": Plot("Slice", _slice, 2),
    "contour": Plot("Contour", _contour, 2),
    "rank": Plot("Rank", _rank, 2),
    "distribution": Plot("Distribution", _distribution),
    "timeline": Plot("Timeline", _timeline, 0),
    "front": Plot("Pareto front", _front),
    "hypervolume": Plot("Hypervolume history", _volume),
    "rungs": Plot("Intermediate values", _rungs, 0),
}
"""By name, in the order in which they are worth looking at."""
