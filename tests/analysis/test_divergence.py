"""Divergence is counted by seeds, and its chance is Fisher's."""

import pandas as pd
import pytest
from scipy import stats

from harness.analysis.statistics.families import Pair
from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.divergence import Diverged, diverged, exact_p
from harness.analysis.words.sentences import sentence

PAIR = Pair("mqa - gqa", "mqa", "gqa")


@pytest.mark.parametrize("counts", [(5, 5, 0, 5), (3, 6, 1, 5), (0, 4, 2, 4), (1, 4, 1, 4)])
def test_the_chance_is_fishers(counts):
    k, n, of_k, of_n = counts
    expected = stats.fisher_exact([[k, n - k], [of_k, of_n - of_k]]).pvalue
    assert exact_p(*counts) == pytest.approx(expected)


def test_seeds_are_counted_that_have_ended(make_runs):
    runs = make_runs({"gqa": [1.0] * 5, "mqa": [1.0] * 5})
    assert diverged(runs, PAIR) is None
    runs.loc[runs["arm"] == "mqa", "status"] = ["diverged", "done", "failed", "diverged", "queued"]
    found = diverged(runs, PAIR)
    assert found == Diverged(2, 3, 0, 5, exact_p(2, 3, 0, 5))


def test_several_runs_of_a_seed_are_one(make_runs):
    runs = make_runs({"gqa": [1.0, 1.0], "mqa": [1.0, 1.0]})
    again = runs.assign(setting=0.1, status="diverged")[runs["arm"] == "mqa"]
    both = diverged(pd.concat([runs, again]), PAIR)
    assert (both.k_arm, both.n_arm) == (2, 2)


def test_the_sentence_tells_it_and_the_verdict_on_the_loss_stays_refused(make_plan, make_runs):
    plan = make_plan(["gqa", "mqa"], range(6))
    runs = make_runs({"gqa": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], "mqa": [2.0, 2.2, 2.1, 2.3, 2.4, 2.5]})
    runs.loc[(runs["arm"] == "mqa") & (runs["seed"] > 4), "status"] = "diverged"
    [contrast] = compare(plan, runs).contrasts
    assert contrast.verdict == "refused"
    words = sentence(contrast, plan)
    assert "1 of 6 seeds of mqa diverged and 0 of 6 of gqa" in words
    assert "chance makes as unlike with probability 1" in words
