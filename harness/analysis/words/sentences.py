"""A contrast in words: the claim, its interval, and always what was held equal."""

from harness.analysis.statistics.families import Pair
from harness.analysis.statistics.verdict import Verdict
from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.verdicts.costs import cost_differences, signed_percent
from harness.analysis.verdicts.pairing import share_training
from harness.analysis.verdicts.settings import setting_differences, shared_settings
from harness.analysis.verdicts.tuning import Arm, tuning_words
from harness.analysis.words.claims import advice, claim
from harness.store.tables import Plan

SOURCES = {"init": "initial weights", "data": "the order of the data", "dropout": "dropout"}


def sentence(contrast: Contrast, plan: Plan) -> str:
    """Say what may be claimed of a contrast."""
    if plan.get("elsewhere"):
        unknown = "in runs made elsewhere: nothing is known of what was held equal"
        return f"{claim(contrast, plan['metric'])}, {unknown}.{advice(contrast)}"
    planned = "planned " if contrast.verdict is Verdict.REFUSED else ""
    conditions = f"{planned}{_conditions(contrast, plan)}"
    return f"{claim(contrast, plan['metric'])}, {conditions}.{advice(contrast)}"


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
    chosen = (f", {tuned}" if tuned else "") + _same_for_all_seeds(plan)
    if not held:
        apart = f": the arms differ in {differs}" if differs else ""
        return f"with nothing matched{chosen}{apart}"
    return f"with {held} held equal{chosen}" + (f", but not {differs}" if differs else "")


def _same_for_all_seeds(plan: Plan) -> str:
    held = _listed([SOURCES[source] for source in plan.get("held_sources", ())])
    return f", {held} being the same for all seeds" if held else ""


def _held_equal(plan: Plan, *pair: Arm) -> list[str]:
    """Name what all arms share, and what only these two do."""
    everyone = list(plan["arms"].values())
    if not all("train" in arm for arm in everyone):
        return list(plan["held_equal"])
    matched = [phrase for phrase in plan["held_equal"] if phrase not in shared_settings(everyone)]
    return [*matched, *shared_settings(pair)]


def _listed(phrases: list[str]) -> str:
    *most, last = phrases or [""]
    return f"{', '.join(most)} and {last}" if most else last
