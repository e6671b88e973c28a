"""A contrast in words: the claim, its interval, and always what was held equal."""

from dataclasses import replace

from harness.analysis.contrasts import Contrast
from harness.analysis.costs import cost_differences, signed_percent
from harness.analysis.families import Pair
from harness.analysis.intervals import MOST_SEEDS
from harness.analysis.pairing import share_training
from harness.analysis.settings import setting_differences, shared_settings
from harness.analysis.tuning import Arm, tuning_words
from harness.analysis.units import decimals_for, percent
from harness.analysis.verdict import Verdict
from harness.store.tables import Plan


def sentence(contrast: Contrast, plan: Plan) -> str:
    """Say what may be claimed of a contrast."""
    planned = "planned " if contrast.verdict is Verdict.REFUSED else ""
    conditions = f"{planned}{_conditions(contrast, plan)}"
    return f"{_claim(contrast, plan)}, {conditions}.{_advice(contrast)}"


def interval_words(contrast: Contrast) -> str:
    """Write the interval of the difference: `-0.004 to +0.020`."""
    if contrast.low is None or contrast.high is None:
        return "no interval"
    decimals = decimals_for(contrast.low, contrast.high)
    return f"{contrast.low:+.{decimals}f} to {contrast.high:+.{decimals}f}"


def difference_words(contrast: Contrast) -> str:
    """Write the difference with as many decimals as its interval."""
    if contrast.difference is None:
        return "none"
    if contrast.low is None or contrast.high is None:
        return f"{contrast.difference:+.3g}"
    return f"{contrast.difference:+.{decimals_for(contrast.low, contrast.high)}f}"


def interval_name(contrast: Contrast) -> str:
    """Name the kind of interval: `95 % interval`, or simultaneous in a family of several."""
    together = "simultaneous " if contrast.family_size > 1 else ""
    return f"{percent(contrast.level)} {together}interval"


def _claim(contrast: Contrast, plan: Plan) -> str:
    pair, metric = f"{contrast.arm} against {contrast.baseline}", plan["metric"]
    found = f"the difference is {difference_words(contrast)} {metric} {_evidence(contrast)}"
    match contrast.verdict:
        case Verdict.REFUSED:
            seen = "no seed has both" if contrast.difference is None else found
            return f"{pair} is refused: {contrast.reason}; {seen}"
        case Verdict.NOT_RESOLVED:
            return f"{pair} is not resolved: {found}"
    claim = f"{contrast.arm} is {contrast.verdict} than {contrast.baseline}"
    upwards = _upwards(contrast)
    amount = difference_words(upwards).removeprefix("+")
    return f"{claim} by {amount} {metric} {_evidence(upwards).replace('+', '')}"


def _upwards(contrast: Contrast) -> Contrast:
    """The same contrast, turned round if negative: the verdict says the direction."""
    low, high, difference = contrast.low, contrast.high, contrast.difference
    assert low is not None and high is not None and difference is not None  # it was judged
    if difference > 0:
        return contrast
    return replace(contrast, difference=-difference, low=-high, high=-low)


def _evidence(contrast: Contrast) -> str:
    if contrast.low is None:
        return f"(n = {contrast.n}: no interval)"
    return f"({interval_name(contrast)} {interval_words(contrast)}, n = {contrast.n})"


def _conditions(contrast: Contrast, plan: Plan) -> str:
    arm, against = (plan["arms"][name] for name in (contrast.arm, contrast.baseline))
    costs = cost_differences(arm["cost"], against["cost"]).items()
    off = [f"{label} ({signed_percent(difference)})" for label, difference in costs]
    settings = [f"{k} ({values})" for k, values in setting_differences(arm, against).items()]
    differs = _listed([*settings, *off])
    held = _listed(_held_equal(plan, arm, against))
    if share_training(plan, Pair(contrast.name, contrast.arm, contrast.baseline)):
        same = "with the same trained weights, so that only the precision of inference differs"
        return same + (f", and with it {differs}" if differs else "")
    tuned = tuning_words(plan, contrast.arm, contrast.baseline)
    chosen = f", {tuned}" if tuned else ""
    if not held:
        apart = f": the arms differ in {differs}" if differs else ""
        return f"with nothing matched{chosen}{apart}"
    return f"with {held} held equal{chosen}" + (f", but not {differs}" if differs else "")


def _held_equal(plan: Plan, *pair: Arm) -> list[str]:
    """Name what all arms share, and what only these two do."""
    everyone = list(plan["arms"].values())
    if not all("train" in arm for arm in everyone):
        return list(plan["held_equal"])
    matched = [phrase for phrase in plan["held_equal"] if phrase not in shared_settings(everyone)]
    return [*matched, *shared_settings(pair)]


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
