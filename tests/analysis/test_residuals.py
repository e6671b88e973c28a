import math

import pytest

from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.residuals import residual_lines, share_of_margin


@pytest.fixture
def matched(make_plan):
    def make(residual, axis="train_flops", practical="auto"):
        arms = {name: {"cost": {}, "matched": {"residual": 0.0}} for name in ("mha", "mqa")}
        arms["mqa"]["matched"]["residual"] = residual
        match = axis and {"axis": axis, "within": 0.05, "by": "d_ff"}
        return make_plan(arms, range(4), match=match, practical=practical)

    return make


def test_five_percent_of_compute_are_a_whole_margin(matched):
    assert share_of_margin(matched(0.05), "mqa") == pytest.approx(1)
    assert share_of_margin(matched(-0.01), "mqa") == pytest.approx(-math.log(0.99) / math.log(1.05))


def test_what_buys_no_loss_is_not_counted(matched):
    assert share_of_margin(matched(0.05, axis="kv_bytes"), "mqa") is None
    assert share_of_margin(matched(0.05, axis=None), "mqa") is None
    assert share_of_margin(matched(0.05, practical=0.003), "mqa") is None
    assert list(residual_lines(matched(0.0))) == []


def test_the_largest_residual_is_told_with_what_it_is_worth(matched):
    [line] = residual_lines(matched(0.004))
    assert line == "what matching left (mqa: +0.40%) is worth 8 % of the margin"
    [line] = residual_lines(matched(0.02))
    assert line.endswith("is worth 41 % of the margin, more than a quarter: match more closely")


def test_a_residual_worth_over_a_quarter_of_the_margin_is_a_label(matched, make_runs):
    runs = make_runs({"mha": [1.7, 1.71, 1.72, 1.73], "mqa": [1.8, 1.81, 1.83, 1.83]})
    labels = {
        residual: compare(matched(residual), runs).contrasts[0].labels for residual in (0.01, 0.02)
    }
    label = "mqa not matched to a quarter of the margin"
    assert label not in labels[0.01] and label in labels[0.02]
