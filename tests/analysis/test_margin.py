"""The margin is what was declared, or what 5 % of compute buys, measured with the baseline."""

import math

import numpy as np
import pandas as pd
import pytest

from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.margin import Margin, margin_of
from harness.analysis.words.sentences import sentence

GQA = 1.9 + np.array([0.0, 0.01, 0.02, 0.015, 0.005])
NOISE = np.array([0.001, -0.002, 0.0015, -0.0005, 0.0])


@pytest.fixture
def halved(make_runs):
    """Runs with and without the baseline at half of its budget, worse there by `slope` a unit."""

    def make(slope, spread=NOISE, metric="val_bpb"):
        whole = make_runs({"gqa": GQA, "mqa": GQA + 0.01 + NOISE}, metric)
        half = make_runs({"gqa": GQA + slope * math.log(2) + spread}, metric)
        whole = whole.assign(purpose="report", budget_share=1.0)
        return pd.concat([whole, half.assign(purpose="slope", budget_share=0.5)])

    return make


def test_a_declared_margin_is_itself(make_plan, make_runs):
    runs = make_runs({"gqa": GQA})
    assert margin_of(make_plan(["gqa"], range(5), practical=0.003), runs) == Margin(0.003)
    assert margin_of(make_plan(["gqa"], range(5), practical=None), runs) is None
    assert margin_of(make_plan(["gqa"], range(5)), runs) is None


def test_what_five_percent_of_compute_buys(make_plan, halved):
    plan = make_plan(["gqa", "mqa"], range(5), practical="auto")
    found = margin_of(plan, halved(0.1))
    assert found.value == pytest.approx(0.1 * math.log(1.05))
    assert (found.n, found.is_measured) == (5, True)
    assert found.low < found.value < found.high
    half_width = 2.776 * NOISE.std(ddof=1) / math.sqrt(5) / math.log(2) * math.log(1.05)
    assert found.high - found.value == pytest.approx(half_width, rel=1e-3)


def test_more_is_better_for_an_accuracy(make_plan, halved):
    plan = make_plan(["gqa", "mqa"], range(5), practical="auto", metric="val_accuracy")
    assert margin_of(plan, halved(-0.1, metric="val_accuracy")).value == pytest.approx(
        0.1 * math.log(1.05)
    )
    assert margin_of(plan, halved(0.1, metric="val_accuracy")) is None


def test_compute_that_buys_nothing_makes_no_margin_and_says_so(make_plan, halved, make_runs):
    plan = make_plan(["gqa", "mqa"], range(5), practical="auto")
    for runs in (halved(-0.1), make_runs({"gqa": GQA, "mqa": GQA + NOISE})):
        comparison = compare(plan, runs)
        assert comparison.margin is None
        assert any(
            note.startswith("no margin: what 5 % of compute buys") for note in comparison.notes
        )


def test_a_measured_margin_decides_and_its_runs_answer_nothing_else(make_plan, halved):
    plan = make_plan(["gqa", "mqa"], range(5), practical="auto")
    small, large = (compare(plan, halved(slope)) for slope in (0.05, 1.0))
    assert [c.verdict for c in small.contrasts] == ["worse"]
    assert [c.verdict for c in large.contrasts] == ["trivial"]
    assert large.contrasts[0].difference == pytest.approx(0.01 + NOISE.mean())
    assert (large.arms[0].n, large.arms[0].mean) == (5, pytest.approx(GQA.mean()))
    assert any(note.startswith("margin 0.049 val_bpb: what 5 %") for note in large.notes)


@pytest.mark.parametrize(
    ("shift", "margin", "verdict", "words"),
    [
        (0.0, 0.01, "practically equal", "mqa and gqa are practically equal: the difference is"),
        (0.005, 0.02, "trivial", "mqa differs trivially from gqa: by 0.0050"),
        (0.02, 0.01, "worse", "mqa is worse than gqa by 0.0200"),
        (0.0, 0.001, "not resolved", "To resolve a difference of the margin, 0.001, (power 0.8)"),
        (0.0015, 0.001, "not resolved", "To resolve a difference of this size (power 0.8)"),
    ],
)
def test_a_margin_in_words(make_plan, make_runs, shift, margin, verdict, words):
    plan = make_plan(["gqa", "mqa"], range(5), practical=margin)
    runs = make_runs({"gqa": GQA, "mqa": GQA + shift + NOISE})
    [contrast] = compare(plan, runs).contrasts
    said = sentence(contrast, plan)
    assert (contrast.verdict, contrast.margin) == (verdict, margin)
    assert words in said
    assert ("within the margin of" in said and "(90 % interval" in said) == (
        verdict in ("practically equal", "trivial")
    )
    assert contrast.low < contrast.narrow_low < contrast.narrow_high < contrast.high


def test_seeds_that_do_not_reach_the_margin_are_labelled(make_plan, make_runs):
    runs = make_runs({"gqa": GQA, "mqa": GQA + NOISE})
    for margin, short in ((0.001, True), (0.01, False)):
        [contrast] = compare(make_plan(["gqa", "mqa"], range(5), practical=margin), runs).contrasts
        assert ("short of the margin" in contrast.labels) == short
