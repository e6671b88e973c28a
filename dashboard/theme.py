"""How charts look: one template, and one fixed style for each arm."""

from dataclasses import dataclass

import plotly.graph_objects as go

from harness.store.tables import Plan

COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#E69F00", "#56B4E9", "#999999", "#F0E442"),
)
"""Okabe and Ito's, told apart also by the colour-blind; grey in place of black for dark pages."""
_DASHES = ("solid", "dash", "dot", "dashdot")
NEUTRAL = "#888888"

TEMPLATE = go.layout.Template(
    layout={
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": COLOURS,
        "margin": {"l": 8, "r": 16, "t": 16, "b": 8},
        "xaxis": {"automargin": True, "zeroline": False},
        "yaxis": {"automargin": True, "zeroline": False},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        "hoverlabel": {"align": "left", "namelength": -1},
    }
)


@dataclass(frozen=True)
class ArmStyle:
    """How an arm is drawn everywhere."""

    colour: str
    dash: str

    def faint(self, opacity: float) -> str:
        """Return the colour for an area."""
        red, green, blue = (int(self.colour[i : i + 2], 16) for i in (1, 3, 5))
        return f"rgba({red},{green},{blue},{opacity})"


def arm_styles(plan: Plan) -> dict[str, ArmStyle]:
    """Style each arm by its place in the plan; from the ninth on, lines are dashed."""
    return {
        arm: ArmStyle(COLOURS[i % len(COLOURS)], _DASHES[i // len(COLOURS) % len(_DASHES)])
        for i, arm in enumerate(plan["arms"])
    }
