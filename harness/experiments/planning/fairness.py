"""What a comparison holds equal and what it does not, in words that go into every sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis.verdicts.costs import cost_differences, signed_percent
from harness.analysis.verdicts.settings import setting_differences, shared_settings
from harness.core.match import AXES
from harness.experiments.question.config import Match


def held_equal(arms: Sequence[dict[str, Any]], match: Match | None) -> list[str]:
    """Name what all arms, as they are recorded, share: the matched cost, the budget, the data."""
    matched = [f"{AXES[match.axis][0]} (within {100 * match.tolerance:g} %)"] if match else []
    return [*matched, *shared_settings(arms)]


def differs(arms: Mapping[str, dict[str, Any]], baseline: str) -> list[str]:
    """Name the settings and the costs in which arms differ from the baseline."""
    by_label: dict[str, list[str]] = {}
    against = arms[baseline]
    for name, arm in arms.items():
        for label, values in setting_differences(arm, against).items():
            by_label.setdefault(label, []).append(f"{name} {values}")
        for label, difference in cost_differences(arm["cost"], against["cost"]).items():
            by_label.setdefault(label, []).append(f"{name} {signed_percent(difference)}")
    return [f"{label} ({', '.join(by_arm)})" for label, by_arm in by_label.items()]
