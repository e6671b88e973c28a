"""A contrast in words: the claim, its interval, and always what was held equal."""

from harness.analysis.contrasts import Contrast
from harness.analysis.intervals import MOST_SEEDS
from harness.analysis.units import decimals_for, percent
from harness.analysis.verdict import Verdict
from harness.store.tables import Plan


def sentence(contrast: Contrast, plan: Plan) -> str:
    """Say what may be claimed of a contrast."""
    return f"{_claim(contrast, plan)}, {_conditions(plan)}.{_advice(contrast)}"


def interval_words(contrast: Contrast, *, reverse: bool = False) -> str:
    """Write the interval, of the opposite difference if reversed: `0.004 to 0.020`."""
    if contrast.low is None or contrast.high is None:
        return "no interval"
    low, high = (-contrast.high, -contrast.low) if reverse else (contrast.low, contrast.high)
    decimals, sign = decimals_for(low, high), "+" if low <= 0 <= high else ""
    return f"{low:{sign}.{decimals}f} to {high:{sign}.{decimals}f}"


def difference_words(contrast: Contrast, *, sign: str = "+") -> str:
    """Write the difference with as many decimals as its interval."""
    if contrast.difference is None:
        return "none"
    if contrast.low is None or contrast.high is None:
        return f"{contrast.difference:{sign}.3g}"
    return f"{contrast.difference:{sign}.{decimals_for(contrast.low, contrast.high)}f}"


def interval_name(contrast: Contrast) -> str:
    """Name the kind of interval: `95 % interval`, or simultaneous in a family of several."""
    together = "simultaneous " if contrast.family_size > 1 else ""
    return f"{percent(contrast.level)} {together}interval"


def _claim(contrast: Contrast, plan: Plan) -> str:
    arms, metric = (contrast.arm, contrast.baseline), plan["metric"]
    if contrast.verdict is Verdict.REFUSED:
        found = f"the difference is {difference_words(contrast)} {metric} {_evidence(contrast)}"
        seen = "no seed has both" if contrast.difference is None else found
        return f"{' against '.join(arms)} is refused: {contrast.reason}; {seen}"
    if contrast.verdict is Verdict.NOT_RESOLVED:
        found = f"the difference is {difference_words(contrast)} {metric}"
        return f"{' against '.join(arms)} is not resolved: {found} {_evidence(contrast)}"
    assert contrast.difference is not None  # what is judged was measured
    down = contrast.difference < 0
    amount = difference_words(contrast, sign="").removeprefix("-")
    claim = f"{contrast.arm} is {contrast.verdict} than {contrast.baseline} by {amount} {metric}"
    return f"{claim} {_evidence(contrast, reverse=down)}"


def _evidence(contrast: Contrast, *, reverse: bool = False) -> str:
    if contrast.low is None:
        return f"(n = {contrast.n}: no interval)"
    words = interval_words(contrast, reverse=reverse)
    return f"({interval_name(contrast)} {words}, n = {contrast.n})"


def _conditions(plan: Plan) -> str:
    held, differs = _listed(plan["held_equal"]), _listed(plan["differs"])
    if not held:
        return f"and nothing was matched: the arms differ in {differs or 'their budgets too'}"
    return f"with {held} held equal" + (f", but not {differs}" if differs else "")


def _advice(contrast: Contrast) -> str:
    if contrast.verdict is not Verdict.NOT_RESOLVED:
        return ""
    if not contrast.difference and not contrast.sd:
        return " The arms agree exactly at every seed."
    seeds = contrast.seeds_needed or f">{MOST_SEEDS}"
    return f" To resolve a difference of this size (power 0.8), plan {seeds} seeds."


def _listed(phrases: list[str]) -> str:
    *most, last = phrases or [""]
    return f"{', '.join(most)} and {last}" if most else last
