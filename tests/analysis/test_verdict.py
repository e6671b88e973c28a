"""A verdict follows from the interval alone."""

import numpy as np
import pytest

from harness.analysis.intervals import estimate, sidak_level
from harness.analysis.verdict import Verdict, judge
from harness.errors import AblateError


@pytest.mark.parametrize(
    ("low", "high", "of_loss", "of_accuracy"),
    [
        (0.1, 0.2, Verdict.WORSE, Verdict.BETTER),
        (-0.2, -0.1, Verdict.BETTER, Verdict.WORSE),
        (-0.1, 0.2, Verdict.NOT_RESOLVED, Verdict.NOT_RESOLVED),
        (0.0, 0.2, Verdict.NOT_RESOLVED, Verdict.NOT_RESOLVED),
        (-0.2, 0.0, Verdict.NOT_RESOLVED, Verdict.NOT_RESOLVED),
    ],
)
def test_the_direction_is_the_metrics(low, high, of_loss, of_accuracy):
    for metric in ("val_accuracy", "recall/val_accuracy"):  # of a set that runs are scored on
        assert judge(low, high, metric=metric) is of_accuracy
    for metric in ("val_loss", "val_bpb", "val_perplexity", "report/val_bpb"):
        assert judge(low, high, metric=metric) is of_loss


def test_a_metric_without_a_direction_is_refused():
    with pytest.raises(AblateError, match="Did you mean 'val_bpb'"):
        judge(0.1, 0.2, metric="val_bbp")


@pytest.mark.parametrize(("comparisons", "least"), [(1, 0.035), (3, 0.025)])
def test_equal_arms_are_told_apart_no_more_often_than_alpha(comparisons, least):
    """A/A: replicas of one baseline; three of them uncorrected would be told apart 0.12 times."""
    rng = np.random.default_rng(5)
    level = sidak_level(0.95, comparisons)
    claims = 0
    for _ in range(3000):
        baseline, *arms = rng.normal(size=(1 + comparisons, 5))
        found = [estimate(arm - baseline, level) for arm in arms]
        verdicts = {judge(e.low, e.high, metric="val_bpb") for e in found}
        claims += verdicts != {Verdict.NOT_RESOLVED}
    assert least < claims / 3000 < 0.06
