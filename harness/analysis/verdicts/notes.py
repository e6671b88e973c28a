"""Notes on a comparison: where its margin comes from, and what the held-out documents allow."""

from collections.abc import Iterator, Sequence

from harness.analysis.units import decimals_for, percent
from harness.analysis.verdicts.contrasts import Contrast
from harness.analysis.verdicts.margin import COMPUTE, Margin

MOST_OF_SEED_ERROR = 1 / 3
"""Above it, held-out documents widen an interval by more than a twentieth."""


def margin_notes(margin: Margin | None, is_due: bool, metric: str) -> Iterator[str]:
    """Say where a margin comes from."""
    bought = f"what {percent(COMPUTE)} of compute buys"
    if is_due:
        yield f"no margin: {bought} is measured by runs of the baseline with half of its budget"
    if margin is None or not margin.is_measured:
        return
    spread = ""
    if margin.low is not None and margin.high is not None:
        decimals = decimals_for(margin.low, margin.high)
        spread = f", 95 % interval {margin.low:.{decimals}f} to {margin.high:.{decimals}f}"
    yield f"margin {margin.value:.2g} {metric}: {bought} ({margin.n} seeds{spread})"


def evaluation_notes(contrasts: Sequence[Contrast]) -> Iterator[str]:
    """Say where the choice of documents matters, and where the bootstrap has doubts."""
    widened = [
        f"{c.arm} - {c.baseline} {c.evaluation_error:.2g} against {c.seed_error:.2g}"
        for c in contrasts
        if c.evaluation_error and c.evaluation_error > MOST_OF_SEED_ERROR * (c.seed_error or 0.0)
    ]
    if widened:
        share = "over a third of the error by seeds: more held-out documents would narrow intervals"
        yield f"the error by the choice of documents is {share} ({'; '.join(widened)})"
    # The other way round it says nothing: the bootstrap is too narrow with few seeds.
    doubtful = [
        f"{c.arm} - {c.baseline}"
        for c in contrasts
        if c.is_resolved and c.bootstrap and c.bootstrap[0] <= 0 <= c.bootstrap[1]
    ]
    if doubtful:
        yield (
            f"a bootstrap over seeds and documents does not exclude 0 for {' and '.join(doubtful)}"
        )
