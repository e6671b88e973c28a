"""Charts: pure functions from what is stored to plotly figures."""

import html
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from dashboard.theme import NEUTRAL, TEMPLATE, ArmStyle
from dashboard.titles import title
from dashboard.traces import CurveView, Trace
from harness.analysis.contrasts import Contrast
from harness.analysis.sentences import difference_words, interval_name, interval_words

_LONGEST_LABEL = 40
_PIXELS_PER_CONTRAST, _PIXELS_FOR_AXES = 56, 96
_NEUTRAL_STYLE = ArmStyle(NEUTRAL, "solid")

SeedDifferences = Mapping[int, float]


def difference_figure(
    contrasts: Sequence[Contrast],
    seeds: Sequence[SeedDifferences],
    styles: Mapping[str, ArmStyle],
    metric: str,
) -> go.Figure:
    """Draw each paired difference with its interval, and a dot for each seed.

    `seeds` holds the differences behind each contrast, in the same order.
    """
    figure = go.Figure(layout={"template": TEMPLATE, "showlegend": False})
    for row, (contrast, by_seed) in enumerate(zip(contrasts, seeds, strict=True)):
        style = styles.get(contrast.arm, _NEUTRAL_STYLE)
        figure.add_trace(_seed_dots(row, contrast, by_seed, style))
        if contrast.difference is not None:
            figure.add_trace(_interval(row, contrast, style))
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1, "dash": "dash"})
    figure.update_xaxes(title=f"difference in {title(metric)}", rangemode="tozero")
    figure.update_yaxes(
        tickvals=list(range(len(contrasts))),
        ticktext=[_label(f"{c.arm} - {c.baseline}") for c in contrasts],
        range=[len(contrasts) - 0.4, -0.6],  # the first on top, and no stretching by a drag
        fixedrange=True,
        showgrid=False,
    )
    figure.update_layout(height=_PIXELS_PER_CONTRAST * len(contrasts) + _PIXELS_FOR_AXES)
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
            figure.add_trace(_band(line, style))
        figure.add_trace(_line(line, style, in_legend=line.arm not in seen))
        seen.add(line.arm)
    if len(lost):
        figure.add_trace(_ends(lost))
    figure.update_xaxes(title=title(view.x), type="log" if view.log_x else "linear")
    figure.update_yaxes(title=title(view.y), type="log" if view.log_y else "linear")
    return figure


def _interval(row: int, contrast: Contrast, style: ArmStyle) -> go.Scatter:
    known = contrast.low is not None and contrast.high is not None
    assert contrast.difference is not None  # its caller looked
    bars = {}
    if known:
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [(contrast.high or 0.0) - contrast.difference],
            "arrayminus": [contrast.difference - (contrast.low or 0.0)],
            "thickness": 2.5,
            "width": 6,
        }
    words = (
        f"{_literal(contrast.arm)} - {_literal(contrast.baseline)}: {contrast.verdict}<br>"
        f"{difference_words(contrast)}, {interval_name(contrast)} {interval_words(contrast)}<br>"
        f"n = {contrast.n}"
    )
    return go.Scatter(
        x=[contrast.difference],
        y=[row],
        error_x=bars,
        mode="markers",
        marker={"size": 11, "color": style.colour, "symbol": "diamond"},
        hovertemplate=words + "<extra></extra>",
    )


def _seed_dots(
    row: int, contrast: Contrast, by_seed: SeedDifferences, style: ArmStyle
) -> go.Scatter:
    return go.Scatter(
        x=list(by_seed.values()),
        y=[row + 0.28] * len(by_seed),
        customdata=list(by_seed),
        mode="markers",
        marker={"size": 6, "color": style.colour, "opacity": 0.6},
        hovertemplate=f"{_literal(contrast.arm)}, seed %{{customdata}}: %{{x:+.4f}}<extra></extra>",
    )


def _line(line: Trace, style: ArmStyle, in_legend: bool) -> go.Scatter:
    arm = _literal(line.arm)
    who = (
        f"{arm}, mean of %{{customdata}} seeds" if line.seed is None else f"{arm}, seed {line.seed}"
    )
    return go.Scatter(
        x=line.points["x"],
        y=line.points["y"],
        customdata=line.points["n"],
        name=_label(line.arm),
        legendgroup=line.arm,
        showlegend=in_legend,
        mode="lines" if len(line.points) > 1 else "markers",
        line={"color": style.colour, "dash": style.dash, "width": 2 if line.seed is None else 1.2},
        hovertemplate=f"{who}<br>%{{y:.4f}} at %{{x:.4s}}<extra></extra>",
    )


def _band(line: Trace, style: ArmStyle) -> go.Scatter:
    points = line.points.dropna(subset=["low", "high"])
    return go.Scatter(
        x=pd.concat([points["x"], points["x"][::-1]]),
        y=pd.concat([points["high"], points["low"][::-1]]),
        legendgroup=line.arm,
        showlegend=False,
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=style.faint(0.18),
        hoverinfo="skip",
    )


def _ends(lost: pd.DataFrame) -> go.Scatter:
    words = [f"{_literal(r.arm)}, seed {r.seed}: {r.status}" for r in lost.itertuples()]
    return go.Scatter(
        x=lost["x"],
        y=lost["y"],
        text=words,
        name="ended early",
        mode="markers",
        marker={"symbol": "x", "size": 9, "color": NEUTRAL},
        hovertemplate="%{text}<extra></extra>",
    )


def _label(text: str) -> str:
    short = text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 3]}..."
    return _literal(short)


def _literal(text: str) -> str:
    """Keep plotly from reading tags or placeholders in a name."""
    return html.escape(text, quote=False).replace("%{", "%&#123;")
