"""The marks that charts are made of: an interval, seed dots, a line, a band, an early end."""

import html
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from dashboard.theme import NEUTRAL, ArmStyle
from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.verdicts.sensitivity import Sensitivity
from harness.analysis.words.numbers import difference_words, interval_name, interval_words
from harness.analysis.words.traces import Trace

_LONGEST_LABEL = 40

SeedDifferences = Mapping[int, float]
"""The paired differences behind a contrast, by seed."""


def interval(row: int, contrast: Contrast, style: ArmStyle) -> go.Scatter:
    """Draw a difference with its interval, if it has one."""
    assert contrast.difference is not None  # its caller looked
    bars = None
    if contrast.low is not None and contrast.high is not None:
        bars = {
            "array": [contrast.high - contrast.difference],
            "arrayminus": [contrast.difference - contrast.low],
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


def seed_dots(
    row: int, contrast: Contrast, by_seed: SeedDifferences, style: ArmStyle
) -> go.Scatter:
    """Draw the difference at each seed, just below the interval."""
    return go.Scatter(
        x=list(by_seed.values()),
        y=[row + 0.28] * len(by_seed),
        customdata=list(by_seed),
        mode="markers",
        marker={"size": 6, "color": style.colour, "opacity": 0.6},
        hovertemplate=f"{_literal(contrast.arm)}, seed %{{customdata}}: %{{x:+.4f}}<extra></extra>",
    )


def run_line(line: Trace, style: ArmStyle, in_legend: bool) -> go.Scatter:
    """Draw a run's curve, or the mean of an arm's."""
    arm = _literal(line.arm)
    who = (
        f"{arm}, mean of %{{customdata}} seeds" if line.seed is None else f"{arm}, seed {line.seed}"
    )
    return go.Scatter(
        x=line.points["x"],
        y=line.points["y"],
        customdata=line.points["n"],
        name=label(line.arm),
        legendgroup=line.arm,
        showlegend=in_legend,
        mode="lines" if len(line.points) > 1 else "markers",
        line={"color": style.colour, "dash": style.dash, "width": 2 if line.seed is None else 1.2},
        hovertemplate=f"{who}<br>%{{y:.5~g}} at %{{x:.4~s}}<extra></extra>",
    )


def band(line: Trace, style: ArmStyle) -> go.Scatter:
    """Fill between `low` and `high`."""
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


def trials(found: Sensitivity, style: ArmStyle) -> go.Scatter:
    """Draw an arm's runs by their setting."""
    arm = _literal(found.arm)
    return go.Scatter(
        x=[trial.setting for trial in found.trials],
        y=[trial.loss for trial in found.trials],
        customdata=[trial.seed for trial in found.trials],
        legendgroup=found.arm,
        showlegend=False,
        mode="markers",
        marker={"size": 6, "color": style.colour, "opacity": 0.6},
        hovertemplate=f"{arm}, seed %{{customdata}}<br>%{{y:.4f}} at %{{x:.3g}}<extra></extra>",
    )


def lowest(found: Sensitivity, style: ArmStyle) -> go.Scatter:
    """Mark where an arm's parabola is lowest."""
    assert found.best  # its caller looked
    setting, loss = found.best
    return go.Scatter(
        x=[setting],
        y=[loss],
        legendgroup=found.arm,
        showlegend=False,
        mode="markers",
        marker={"size": 11, "color": style.colour, "symbol": "diamond"},
        hovertemplate=f"{_literal(found.arm)}: %{{y:.4f}} at %{{x:.3g}}<extra></extra>",
    )


def ends(lost: pd.DataFrame) -> go.Scatter:
    """Mark where runs ended early."""
    words = [
        f"{_literal(r['arm'])}, seed {r['seed']}: {r['status']}" for r in lost.to_dict("records")
    ]
    return go.Scatter(
        x=lost["x"],
        y=lost["y"],
        text=words,
        name="ended early",
        mode="markers",
        marker={"symbol": "x", "size": 9, "color": NEUTRAL},
        hovertemplate="%{text}<extra></extra>",
    )


def label(text: str) -> str:
    """Cut a name that is too long for an axis."""
    short = text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 3]}..."
    return _literal(short)


def _literal(text: str) -> str:
    """Keep plotly from reading tags or placeholders in a name."""
    return html.escape(text, quote=False).replace("%{", "%&#123;")
