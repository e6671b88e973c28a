"""What may be claimed of a contrast, in words, with its evidence; and what would resolve it."""

from dataclasses import replace

from harness.analysis.statistics.power import MOST_SEEDS
from harness.analysis.statistics.verdict import Verdict
from harness.analysis.verdicts.contrasts import TOO_GOOD, Contrast
from harness.analysis.words.numbers import (
    difference_words,
    interval_name,
    interval_words,
    narrow_name,
    narrow_words,
)
from harness.quantities import format_count, format_duration


def claim(contrast: Contrast, metric: str) -> str:
    """Say what may be claimed of two arms, and why."""
    pair = f"{contrast.arm} against {contrast.baseline}"
    found = f"the difference is {difference_words(contrast)} {metric} {_evidence(contrast)}"
    match contrast.verdict:
        case Verdict.REFUSED:
            seen = "no seed has both" if contrast.difference is None else found
            return f"{pair} is refused: {contrast.reason}; {seen}{_divergence(contrast)}"
        case Verdict.NOT_RESOLVED:
            return f"{pair} is not resolved: {found}{_divergence(contrast)}"
        case Verdict.EQUAL:
            equal = f"{contrast.arm} and {contrast.baseline} are practically equal"
            return f"{equal}: {found}, {_within(contrast)}{_divergence(contrast)}"
    upwards = _upwards(contrast)
    amount = f"{difference_words(upwards).removeprefix('+')} {metric}"
    evidence = _evidence(upwards).replace("+", "")
    if contrast.verdict is Verdict.TRIVIAL:
        apart = f"{contrast.arm} differs trivially from {contrast.baseline}: by {amount}"
        return f"{apart} {evidence}, {_within(contrast)}{_divergence(contrast)}"
    direction = f"{contrast.arm} is {contrast.verdict} than {contrast.baseline} by {amount}"
    alarm = f", over {TOO_GOOD} standard deviations of the seeds" if contrast.suspicious else ""
    return f"{direction} {evidence}{alarm}{_divergence(contrast)}"


def advice(contrast: Contrast) -> str:
    """Say what would resolve a contrast that is not; empty for any other."""
    if contrast.verdict is not Verdict.NOT_RESOLVED:
        return ""
    if not contrast.difference and not contrast.sd:
        return " The arms agree exactly at every seed."
    of_size = "of this size"
    if contrast.margin and contrast.margin > abs(contrast.difference or 0.0):
        of_size = f"of the margin, {contrast.margin:.2g},"
    seeds = contrast.seeds_needed or f">{MOST_SEEDS}"
    return f" To resolve a difference {of_size} (power 0.8), plan {seeds} seeds{_costs(contrast)}."


def _evidence(contrast: Contrast) -> str:
    if contrast.low is None:
        return f"(n = {contrast.n}: no interval)"
    return f"({interval_name(contrast)} {interval_words(contrast)}, n = {contrast.n})"


def _within(contrast: Contrast) -> str:
    assert contrast.margin is not None  # or it would not be within
    inside = f"within the margin of {contrast.margin:.2g}"
    return f"{inside} ({narrow_name(contrast)} {narrow_words(contrast)})"


def _divergence(contrast: Contrast) -> str:
    found = contrast.diverged
    if found is None:
        return ""
    counts = (
        f"{found.k_arm} of {found.n_arm} seeds of {contrast.arm} diverged and {found.k_base} of "
        f"{found.n_base} of {contrast.baseline}"
    )
    return f"; {counts}, which chance makes as unlike with probability {found.p:.2g}"


def _upwards(contrast: Contrast) -> Contrast:
    """The same contrast, turned round if negative: the verdict says the direction."""
    low, high, difference = contrast.low, contrast.high, contrast.difference
    assert low is not None and high is not None and difference is not None  # it was judged
    if difference > 0:
        return contrast
    return replace(contrast, difference=-difference, low=-high, high=-low)


def _costs(contrast: Contrast) -> str:
    """Say what the further runs of both arms take, as far as it is known."""
    if not contrast.runs_needed:
        return ""
    spent = [f"{contrast.runs_needed} more runs"]
    if contrast.tokens_needed:
        spent.append(f"{format_count(contrast.tokens_needed)} tokens")
    if contrast.seconds_needed:
        spent.append(f"about {format_duration(contrast.seconds_needed)} one by one")
    return f" ({', '.join(spent)})"
