"""What is to be known of a claim before it is repeated, in a few words each."""

from collections.abc import Iterator, Mapping

from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.verdicts.exposure import Exposure
from harness.analysis.verdicts.residuals import is_worth_too_much
from harness.store.tables import Plan


def labels_of(plan: Plan, contrast: Contrast, exposures: Mapping[str, Exposure]) -> tuple[str, ...]:
    """Return the labels of a contrast."""
    return tuple(_labels(plan, contrast, exposures))


def _labels(plan: Plan, contrast: Contrast, exposures: Mapping[str, Exposure]) -> Iterator[str]:
    pair = contrast.arm, contrast.baseline
    if contrast.suspicious:
        yield "suspiciously large"
    if any(exposures[arm].is_undertrained for arm in pair):
        yield "undertrained"
    if any(exposures[arm].is_repeated for arm in pair):
        yield "repeated data"
    for arm in pair:
        if shared := plan.get("shared", {}).get(arm):
            yield f"runs of {arm} shared with {', '.join(shared)}"
    if contrast.margin and contrast.detectable and contrast.detectable > contrast.margin:
        yield "short of the margin"
    for arm in pair:
        if is_worth_too_much(plan, arm):
            yield f"{arm} not matched to a quarter of the margin"
    kinds = {condition["kind"] for condition in plan.get("conditions", [])}
    if "budget" not in kinds and not plan.get("condition") and not plan.get("elsewhere"):
        yield "one budget"
