"""Charts: pure functions from what is stored to plotly figures."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from dashboard.marks import (
    SeedDifferences,
    band,
    ends,
    interval,
    label,
    lowest,
    run_line,
    seed_dots,
    trials,
)
from dashboard.theme import NEUTRAL, TEMPLATE, ArmStyle
from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.verdicts.sensitivity import Sensitivity
from harness.analysis.words.titles import title
from harness.analysis.words.traces import CurveView, Trace

_PIXELS_PER_CONTRAST, _PIXELS_FOR_AXES = 56, 96
_NEUTRAL_STYLE = ArmStyle(NEUTRAL, "solid")


def difference_figure(
    contrasts: Sequence[Contrast],
    seeds: Sequence[SeedDifferences],
    styles: Mapping[str, ArmStyle],
    metric: str,
    margin: float | None = None,
) -> go.Figure:
    """Draw each paired difference with its interval, and a dot for each seed.

    `seeds` holds the differences behind each contrast, in the same order; within the `margin`, a
    difference makes none in practice.
    """
    figure = go.Figure(layout={"template": TEMPLATE, "showlegend": False})
    for row, (contrast, by_seed) in enumerate(zip(contrasts, seeds, strict=True)):
        style = styles.get(contrast.arm, _NEUTRAL_STYLE)
        figure.add_trace(seed_dots(row, contrast, by_seed, style))
        if contrast.difference is not None:
            figure.add_trace(interval(row, contrast, style))
    if margin:
        figure.add_vrect(-margin, margin, fillcolor=NEUTRAL, opacity=0.18, line_width=0)
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1, "dash": "dash"})
    figure.update_xaxes(title=f"difference in {title(metric)}", rangemode="tozero")
    figure.update_yaxes(
        tickvals=list(range(len(contrasts))),
        ticktext=[f"{label(c.arm)}<br>against {label(c.baseline)}" for c in contrasts],
        range=[len(contrasts) - 0.4, -0.6],  # the first on top, and no stretching by a drag
        fixedrange=True,
        showgrid=False,
    )
    figure.update_layout(height=_PIXELS_PER_CONTRAST * len(contrasts) + _PIXELS_FOR_AXES)
    return figure


def sensitivity_figure(
    found: Sequence[Sensitivity], styles: Mapping[str, ArmStyle], metric: str, setting: str
) -> go.Figure:
    """Draw losses against a setting: a line for each arm, its trials, and where it is lowest."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 420})
    for each in found:
        style, name = styles.get(each.arm, _NEUTRAL_STYLE), label(each.arm)
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in each.line],
                y=[y for _, y in each.line],
                name=name,
                legendgroup=each.arm,
                mode="lines",
                line={"color": style.colour, "dash": style.dash},
                hoverinfo="skip",
            )
        )
        figure.add_trace(trials(each, style))
        if each.best:
            figure.add_trace(lowest(each, style))
    ticks = sorted({trial.setting for each in found for trial in each.trials})
    figure.update_xaxes(title=setting, type="log", tickvals=ticks)
    figure.update_xaxes(ticktext=[f"{tick:.3g}" for tick in ticks])
    figure.update_yaxes(title=title(metric))
    return figure


def position_figure(positions: pd.DataFrame, styles: Mapping[str, ArmStyle]) -> go.Figure:
    """Draw the loss against the position in the window, averaged over the seeds of each arm.

    `positions` has a row for each run (arm, seed) and range of positions (first, loss). The first
    position is drawn at 1, as the axis is logarithmic.
    """
    figure = go.Figure(layout={"template": TEMPLATE, "height": 420})
    means = positions.groupby(["arm", "first"], sort=False)["loss"].mean().reset_index()
    for arm, line in means.groupby("arm", sort=False):
        style, name = styles.get(str(arm), _NEUTRAL_STYLE), label(str(arm))
        figure.add_trace(
            go.Scatter(
                x=line["first"] + 1,
                y=line["loss"],
                name=name,
                mode="lines+markers",
                line={"color": style.colour, "dash": style.dash},
                hovertemplate=f"{name}<br>%{{y:.4f}} from token %{{x}} on<extra></extra>",
            )
        )
    figure.update_xaxes(title="token of the window, from this one on", type="log")
    figure.update_xaxes(tickvals=sorted({first + 1 for first in means["first"]}))
    figure.update_yaxes(title=title("val_loss"))
    return figure


def curve_figure(
    lines: Sequence[Trace], styles: Mapping[str, ArmStyle], view: CurveView, lost: pd.DataFrame
) -> go.Figure:
    """Draw learning curves; `lost` (arm, seed, x, y, status) marks where runs ended early."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 520, "uirevision": str(view)})
    seen: set[str] = set()
    for line in lines:
        style = styles.get(line.arm, _NEUTRAL_STYLE)
        if line.seed is None:
            figure.add_trace(band(line, style))
        figure.add_trace(run_line(line, style, in_legend=line.arm not in seen))
        seen.add(line.arm)
    if len(lost):
        figure.add_trace(ends(lost))
    figure.update_xaxes(title=title(view.x), type="log" if view.log_x else "linear")
    figure.update_yaxes(title=title(view.y), type="log" if view.log_y else "linear")
    return figure
