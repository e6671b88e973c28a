"""Learning curves against tokens, FLOPs, seconds or steps."""

import pandas as pd
import streamlit as st

from dashboard.charts import curve_figure, position_figure
from dashboard.data import LOST, Experiment, positions
from dashboard.text import literal
from dashboard.theme import arm_styles
from dashboard.widgets import chosen_experiments
from harness.analysis.words.titles import title
from harness.analysis.words.traces import MOST_POINTS, SPREADS, CurveView, traces
from harness.store.errors import StoreError

_XS = {"tokens": "tokens", "FLOPs": "flops", "seconds": "seconds", "steps": "step"}
_NOT_MEASURED = {"seed", "step", "tokens", "flops", "seconds", "fraction"}


def _measured(experiments: list[Experiment]) -> list[str]:
    """List what there are curves of: the first experiment's metric, then the others."""
    found = [experiments[0].plan["metric"].rpartition("/")[2]]
    for experiment in experiments:
        numbers = experiment.curves.dropna(axis="columns", how="all").select_dtypes("number")
        found += [name for name in numbers.columns if name not in _NOT_MEASURED]
    return list(dict.fromkeys(found))


def _controls(measured: list[str]) -> CurveView:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        y = st.selectbox("Metric", measured, key="metric", bind="query-params", width=200)
        x = st.segmented_control(
            "Against", list(_XS), default="tokens", required=True, key="x", bind="query-params"
        )
        spread = st.segmented_control(
            "Seeds", SPREADS, default=SPREADS[0], required=True, key="seeds", bind="query-params"
        )
        log_x = st.toggle("Log x", key="log_x", bind="query-params")
        log_y = st.toggle("Log y", key="log_y", bind="query-params")
    return CurveView(_XS[x], y, spread, log_x, log_y)


def _ended_early(experiment: Experiment, view: CurveView) -> pd.DataFrame:
    """Return the last point of each run that was lost."""
    runs = experiment.runs
    lost = runs.loc[runs["status"].isin(LOST), ["arm", "seed", "run_id", "status"]]
    points = experiment.curves.dropna(subset=[view.x, view.y]).sort_values("step")
    last = points.groupby(["arm", "seed", "run_id"])[[view.x, view.y]].last().reset_index()
    return lost.merge(last).rename(columns={view.x: "x", view.y: "y"})


def _chart(experiment: Experiment, view: CurveView) -> None:
    st.subheader(literal(experiment.name), anchor=False)
    if view.y not in experiment.curves:
        st.info(f"No curves of {title(view.y)} here.")
        return
    lines = list(traces(experiment.curves, view))
    if not lines:
        st.info("No curves yet: they appear when the experiment's runs have measured something.")
        return
    figure = curve_figure(lines, arm_styles(experiment.plan), view, _ended_early(experiment, view))
    alt = f"{title(view.y)} against {title(view.x)}"
    st.plotly_chart(figure, key=f"curves-{experiment.name}", alt=alt, config={"displaylogo": False})
    thinned = max(lines, key=lambda line: line.n_points)
    if thinned.n_points > MOST_POINTS:
        drawn, there = f"{len(thinned.points):,}", f"{thinned.n_points:,}"
        st.caption(f"Long lines are thinned: {drawn} of {there} points of the longest are drawn.")


def _positions_chart(experiment: Experiment) -> None:
    try:
        found = positions(experiment)
    except StoreError as error:
        st.error(literal(str(error)), icon=":material/broken_image:")
        return
    if found.empty:
        st.info("No losses by position here: they are in the folders of runs.")
        return
    figure = position_figure(found, arm_styles(experiment.plan))
    alt = "Loss against the position in the window"
    st.plotly_chart(figure, key=f"positions-{experiment.name}", alt=alt)


experiments = chosen_experiments()
view = _controls(_measured(experiments))
by_position = st.toggle("Loss by position", key="by_position", bind="query-params")
for experiment in experiments:
    _chart(experiment, view)
    if by_position:
        _positions_chart(experiment)
