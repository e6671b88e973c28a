"""A verdict follows from the printed intervals alone."""

import pytest

from harness.analysis.statistics.verdict import Verdict, judge
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
        assert judge((low, high), metric=metric) is of_accuracy
    for metric in ("val_loss", "val_bpb", "val_perplexity", "report/val_bpb"):
        assert judge((low, high), metric=metric) is of_loss


@pytest.mark.parametrize(
    ("interval", "narrow", "verdict"),
    [
        ((-0.1, 0.2), (-0.05, 0.15), Verdict.EQUAL),
        ((-0.5, 0.4), (-0.29, 0.29), Verdict.EQUAL),
        ((-0.1, 0.4), (-0.05, 0.3), Verdict.NOT_RESOLVED),
        ((-0.4, 0.1), (-0.31, 0.05), Verdict.NOT_RESOLVED),
        ((0.05, 0.35), (0.1, 0.29), Verdict.TRIVIAL),
        ((-0.35, -0.05), (-0.29, -0.1), Verdict.TRIVIAL),
        ((0.05, 0.45), (0.1, 0.4), Verdict.WORSE),
        ((-0.9, -0.6), (-0.8, -0.7), Verdict.BETTER),
    ],
)
def test_a_margin_tells_what_makes_no_difference(interval, narrow, verdict):
    assert judge(interval, metric="val_bpb", margin=0.3, narrow=narrow) is verdict


def test_without_a_margin_nothing_is_equal():
    assert judge((-1e-9, 1e-9), metric="val_bpb", narrow=(0.0, 0.0)) is Verdict.NOT_RESOLVED


def test_a_metric_without_a_direction_is_refused():
    with pytest.raises(AblateError, match="Did you mean 'val_bpb'"):
        judge((0.1, 0.2), metric="val_bbp")
