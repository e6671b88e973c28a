"""What may be claimed of arms, and when nothing may."""

import numpy as np
import pandas as pd
import pytest

from harness.analysis.statistics.critical import reference
from harness.analysis.statistics.verdict import Verdict
from harness.analysis.verdicts.compare import compare

NOISE = np.array([0.001, -0.002, 0.0015, -0.0005, 0.0])
BASE = 1.9 + np.array([0.0, 0.01, 0.02, 0.015, 0.005])


@pytest.fixture
def judged(make_plan, make_runs):
    """Compare `mqa` with `gqa`, after changes to the plan and the runs."""

    def judge_after(change=lambda runs: runs, mqa=BASE + 0.01 + NOISE, **plan):
        plan = make_plan(**{"arms": ["gqa", "mqa"], "seeds": range(5), **plan})
        [contrast] = compare(plan, change(make_runs({"gqa": BASE, "mqa": mqa}))).contrasts
        return contrast

    return judge_after


def _set(runs, arm, seed, **values):
    runs.loc[(runs["arm"] == arm) & (runs["seed"] == seed), list(values)] = list(values.values())
    return runs


def test_a_clear_difference_is_a_verdict(judged):
    worse, better = judged(), judged(mqa=BASE - 0.01 + NOISE)
    assert (worse.verdict, better.verdict) == (Verdict.WORSE, Verdict.BETTER)
    assert worse.difference == pytest.approx(0.01 + NOISE.mean())
    assert worse.low < worse.difference < worse.high
    assert (worse.n, worse.reason, worse.seeds_needed) == (5, None, None)
    assert worse.rho == pytest.approx(np.corrcoef(BASE, BASE + NOISE)[0, 1])


def test_pairing_by_seed_does_not_depend_on_the_order_of_rows(judged):
    assert judged(lambda runs: runs.sample(frac=1, random_state=0)) == judged()


def test_an_unresolved_difference_says_what_would_resolve_it(judged):
    contrast = judged(mqa=BASE + 0.0005 + NOISE)
    assert contrast.verdict is Verdict.NOT_RESOLVED
    assert contrast.seeds_needed > 5
    assert contrast.detectable > abs(contrast.difference)


@pytest.mark.parametrize("status", ["queued", "running", "interrupted", "diverged", "failed"])
def test_a_missing_run_refuses_and_names_its_seed(judged, status):
    contrast = judged(lambda runs: _set(runs, "mqa", 3, status=status))
    assert contrast.verdict is Verdict.REFUSED
    assert contrast.reason == f"mqa lacks seed 3 ({status})"
    assert contrast.n == 4
    assert contrast.low is not None


def test_a_run_without_a_row_or_without_the_metric_is_missing_too(judged):
    gone = judged(lambda runs: runs[(runs["arm"] != "gqa") | (runs["seed"] != 2)])
    assert gone.reason == "gqa lacks seed 2 (not planned)"
    empty = judged(lambda runs: _set(runs, "gqa", 2, val_bpb=float("nan")))
    assert empty.reason == "gqa lacks seed 2 (done without val_bpb)"


def test_nothing_on_disk_is_refused_not_an_error(judged):
    contrast = judged(lambda runs: runs.assign(status="queued", val_bpb=float("nan")))
    assert contrast.verdict is Verdict.REFUSED
    assert (contrast.n, contrast.difference, contrast.low) == (0, None, None)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_under_four_pairs_there_is_no_verdict(judged, n):
    contrast = judged(lambda runs: runs[runs["seed"] < n], seeds=list(range(n)))
    assert contrast.verdict is Verdict.REFUSED
    assert contrast.reason == f"a verdict needs 4 pairs of seeds, but there are {n}"
    kept = judged(lambda runs: runs[runs["seed"] < 4], seeds=list(range(4)))
    assert kept.verdict is Verdict.WORSE


def test_an_arm_that_could_not_be_matched_is_refused(judged, make_plan):
    arms = make_plan(["gqa", "mqa"], range(5))["arms"]
    arms["mqa"]["matched"] = {"refused": "no d_ff fits"}
    contrast = judged(arms=arms)
    assert contrast.verdict is Verdict.REFUSED
    assert contrast.reason == "mqa could not be matched: no d_ff fits"
    arms["mqa"]["matched"] = {"by": "d_ff", "refused": None}
    assert judged(arms=arms).verdict is Verdict.WORSE


def test_environments_are_not_pooled(judged):
    contrast = judged(lambda runs: _set(runs, "mqa", 1, environment="cuda"))
    assert contrast.verdict is Verdict.REFUSED
    assert "cpu, cuda" in contrast.reason


def test_seeds_without_any_noise_are_no_evidence(judged):
    contrast = judged(mqa=BASE + 0.01)
    assert contrast.verdict is Verdict.REFUSED
    assert "the seeds do not differ at all" in contrast.reason
    assert judged(mqa=BASE).verdict is Verdict.NOT_RESOLVED
    assert judged(mqa=BASE).seeds_needed is None


def test_arms_that_share_their_runs_are_not_compared(judged):
    contrast = judged(lambda runs: runs.assign(run_id=runs["seed"].astype(str)), mqa=BASE)
    assert contrast.verdict is Verdict.REFUSED
    assert "replica" in contrast.reason


def test_replicas_of_a_seed_are_averaged(judged):
    def doubled(runs):
        others = runs.assign(replica=1, run_id=runs["run_id"] + "r", val_bpb=runs["val_bpb"] + 0.5)
        return pd.concat([runs, others[others["arm"] == "mqa"]])

    assert judged(doubled).difference == pytest.approx(judged().difference + 0.25)
    assert judged(doubled).n == 5


def test_the_primary_contrast_is_judged_alone_and_the_others_together(make_plan, make_runs):
    arms = ["gqa", "mqa", "mha", "nope"]
    contrasts = {"primary": ["mqa", "gqa"], "extremes": ["mha", "mqa"]}
    plan = make_plan(arms, range(5), contrasts=contrasts)
    rng = np.random.default_rng(0)
    found = compare(plan, make_runs({arm: rng.normal(2, 0.1, 5) for arm in arms})).contrasts
    seen = [(c.arm, c.baseline, c.family, c.family_size) for c in found]
    assert {c.level for c in found} == {0.95}
    assert seen == [
        ("mqa", "gqa", "primary", 1),
        ("mha", "mqa", "others", 3),
        ("mha", "gqa", "others", 3),
        ("nope", "gqa", "others", 3),
    ]
    half_widths = [(c.high - c.low) / 2 / c.seed_error for c in found]
    assert half_widths[0] == pytest.approx(2.776, abs=1e-3)
    weights = ((1.0, -1.0, 0.0, 0.0), (1.0, 0.0, -1.0, 0.0), (0.0, 0.0, -1.0, 1.0))
    together = reference(weights, 5).critical(0.05)  # mha - mqa, mha - gqa, nope - gqa
    assert together == pytest.approx(3.23, abs=0.02)
    assert half_widths[1:] == [pytest.approx(together)] * 3
    assert {c.method for c in found[1:]} == {"moderated"}
    assert found[0].method == "own"
    variance = np.mean([c.sd**2 for c in found[1:]])
    moderated = [np.sqrt((2 * c.sd**2 + variance) / 3 / 5) for c in found[1:]]
    assert [c.seed_error for c in found[1:]] == pytest.approx(moderated)


def test_a_primary_contrast_turned_round_is_not_judged_twice(make_plan, make_runs):
    contrasts = {"again": ["mqa", "gqa"], "primary": ["gqa", "mqa"]}
    plan = make_plan(["gqa", "mqa"], range(5), contrasts=contrasts)
    [contrast] = compare(plan, make_runs({"gqa": BASE, "mqa": BASE + NOISE})).contrasts
    assert (contrast.arm, contrast.family) == ("gqa", "primary")


def test_an_arm_is_summarised_over_what_counts(make_plan, make_runs):
    runs = make_runs({"gqa": BASE, "mqa": BASE + 0.01})
    runs = _set(runs, "mqa", 0, status="diverged", val_bpb=9.0)
    runs = _set(runs, "mqa", 1, status="failed", val_bpb=9.0)
    gqa, mqa = compare(make_plan(["gqa", "mqa"], range(5)), runs).arms
    assert (gqa.n, gqa.mean, gqa.tokens_per_s) == (5, pytest.approx(BASE.mean()), 1002.0)
    assert (mqa.n, mqa.n_planned, mqa.n_diverged, mqa.n_failed) == (3, 5, 1, 1)
    assert mqa.mean == pytest.approx(BASE[2:].mean() + 0.01)
    assert (mqa.params, mqa.cache_bytes, mqa.seconds) == (1_312_000, 12_400, 60.0)
    one = compare(make_plan(["gqa"], [0]), runs[:1]).arms[0]
    assert (one.n, one.mean, one.low, one.sd) == (1, BASE[0], None, None)


def test_what_runs_are_scored_on_besides_is_averaged_over_the_runs_that_have_it(
    make_plan, make_runs
):
    sets = {"recall": {"metric": "val_accuracy"}, "long": {"metric": "val_bpb"}}
    runs = make_runs({"gqa": BASE, "mqa": BASE + 0.01})
    runs["recall/val_accuracy"] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.9, None, 0.7, None, 0.5]
    runs["long/val_bpb"] = runs["val_bpb"] + 1
    plan = make_plan(["gqa", "mqa"], range(5), evaluate=sets)
    found = compare(plan, _set(runs, "mqa", 4, status="failed")).evaluations
    assert list(found) == ["recall/val_accuracy", "long/val_bpb"]
    recall = found["recall/val_accuracy"]
    assert (recall["gqa"].n, recall["gqa"].mean) == (5, pytest.approx(0.3))
    assert (recall["mqa"].n, recall["mqa"].mean) == (2, pytest.approx(0.8))
    assert found["long/val_bpb"]["gqa"].mean == pytest.approx(BASE.mean() + 1)
    assert compare(make_plan(["gqa"], range(5)), runs).evaluations == {}
