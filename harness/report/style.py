"""How an arm looks in every chart of a report."""

from harness.store.tables import Plan

_COLOURS, _DASHES = 8, 4


def arm_classes(plan: Plan) -> dict[str, str]:
    """Return each arm's classes in the style sheet of charts, by its place in the plan.

    From the ninth on, lines are dashed.
    """
    return {
        arm: f"a{i % _COLOURS} d{i // _COLOURS % _DASHES}" for i, arm in enumerate(plan["arms"])
    }
