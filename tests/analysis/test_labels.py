"""A claim carries what is to be known of it."""

import numpy as np
import pytest

from harness.analysis.verdicts.compare import compare, suspicious
from harness.analysis.words.sentences import sentence

GQA = 1.9 + np.array([0.0, 0.01, 0.02, 0.015, 0.005])
NOISE = np.array([0.001, -0.002, 0.0015, -0.0005, 0.0])


@pytest.fixture
def labelled(make_plan, make_runs):
    def label(shift=0.01, tokens=10**9, epochs=1.0, **plan):
        runs = make_runs({"gqa": GQA, "mqa": GQA + shift + NOISE})
        plan = make_plan(["gqa", "mqa"], range(5), **plan)
        comparison = compare(plan, runs.assign(tokens=tokens, epochs=epochs))
        return comparison.contrasts[0].labels

    return label


def test_one_budget_is_labelled_unless_others_were_tried(labelled):
    assert labelled() == ("one budget",)
    other = {"kind": "budget", "name": "0.5x", "experiment": "attention.0.5x"}
    assert labelled(conditions=[other]) == ()
    assert labelled(conditions=[{**other, "kind": "scale"}]) == ("one budget",)
    assert labelled(condition={"kind": "budget", "name": "0.5x", "main": "attention"}) == ()


def test_little_or_repeated_text_is_labelled(labelled):
    assert labelled(tokens=10**6) == ("undertrained", "one budget")
    assert labelled(epochs=5.0) == ("repeated data", "one budget")


def test_shared_runs_name_the_experiments_they_are_shared_with(labelled):
    assert labelled(shared={"gqa": ["ffn", "norm"]})[0] == "runs of gqa shared with ffn, norm"


def test_a_difference_of_over_ten_sd_is_suspicious(make_plan, make_runs):
    sd = np.sqrt((GQA.var(ddof=1) + (GQA + NOISE).var(ddof=1)) / 2)
    plan = make_plan(["gqa", "mqa"], range(5))
    for shift, is_too_good in ((-10.5 * sd, True), (10.5 * sd, True), (-9.5 * sd, False)):
        comparison = compare(plan, make_runs({"gqa": GQA, "mqa": GQA + shift + NOISE}))
        [contrast] = comparison.contrasts
        assert (suspicious(comparison) == [contrast]) == is_too_good
        assert ("suspiciously large" in contrast.labels) == is_too_good
        assert ("over 10 standard deviations of the seeds" in sentence(contrast, plan)) == (
            is_too_good
        )
