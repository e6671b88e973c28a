"""What the store knows of seeds, and what that says of a plan."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.analysis.verdicts.history import History, history_of
from harness.experiments.planning.power import resolution
from harness.store.experiments import ExperimentTables

PAIR = {"gqa": None, "mqa": None}
KNOWN = History(seed_sd=0.02, n_runs=600, rho=0.8, n_pairs=300)


@pytest.fixture
def stored(make_plan, make_runs):
    """An experiment of two arms whose values correlate by `rho`."""

    def make(n, name="earlier", rho=0.8, sd=0.02, shift=0.0, **plan):
        rng = np.random.default_rng(n)
        both = np.linalg.cholesky([[1, rho], [rho, 1]]) @ rng.standard_normal((2, n))
        values = {"gqa": 1.9 + sd * both[0], "mqa": 1.9 + shift + sd * both[1]}
        metric = plan.get("metric", "val_bpb")
        plan = make_plan(list(values), range(n), name=name, **plan)
        return ExperimentTables(plan, make_runs(values, metric), pd.DataFrame())

    return make


def test_spread_and_correlation_are_pooled_over_experiments(make_plan, stored):
    plan = make_plan(list(PAIR), range(5))
    found = history_of(plan, [stored(300, "one"), stored(301, "other")])
    assert found.seed_sd == pytest.approx(0.02, rel=0.05)
    assert found.rho == pytest.approx(0.8, abs=0.04)
    assert (found.n_runs, found.n_pairs) == (1202, 601)
    assert found.paired_sd == pytest.approx(0.02 * np.sqrt(0.4), rel=0.1)


def test_under_20_pairs_arms_count_as_uncorrelated(make_plan, stored):
    plan = make_plan(list(PAIR), range(5))
    few, enough = (history_of(plan, [stored(n)]) for n in (19, 20))
    assert (few.rho, few.n_pairs) == (0.0, 19)
    assert enough.rho > 0.5
    assert few.paired_sd == pytest.approx(few.seed_sd * np.sqrt(2))


def test_other_metrics_and_corpora_say_nothing(make_plan, stored):
    plan = make_plan(list(PAIR), range(5))
    other = stored(30)
    other.plan["arms"]["gqa"] = {**other.plan["arms"]["gqa"], "data": {"corpus": {"name": "wiki"}}}
    found = history_of(plan, [stored(30, metric="val_loss"), other])
    assert found == History()
    assert history_of(make_plan(list(PAIR), range(5), metric="report/val_bpb"), [stored(30)]).rho


def test_of_the_experiment_itself_the_contrasts_are_known(make_plan, stored):
    plan = make_plan(list(PAIR), range(5))
    found = history_of(plan, [stored(8, "another"), stored(8, plan["name"], shift=0.5)])
    assert found.earlier["mqa", "gqa"].difference == pytest.approx(0.5, abs=0.05)


def told(plan, history):
    return "\n".join(resolution(plan, history))


def test_a_plan_tells_what_its_seeds_show(make_plan):
    words = told(make_plan(list(PAIR), range(5)), KNOWN)
    assert "seeds differ by 0.02 val_bpb (600 runs), arms correlate by 0.80 (300 pairs)" in words
    assert "5 seeds show (power 0.8) a difference of 0.021 val_bpb, 1.68 standard" in words
    few = replace(KNOWN, n_pairs=12, rho=0.0)
    words = told(make_plan(list(PAIR), range(5)), few)
    assert "arms taken as uncorrelated (of 12 pairs, and 20 would be needed to tell)" in words
    assert "a difference of 0.048 val_bpb" in words


def test_a_plan_without_history_counts_in_standard_deviations(make_plan):
    words = told(make_plan(list(PAIR), range(5)), History())
    assert "noise: not known before the first runs" in words
    assert "5 seeds show (power 0.8) a difference of 1.68 standard deviations" in words
    assert told(make_plan(list(PAIR), range(3)), History()) == (
        "3 seeds give no verdict: plan at least 4"
    )


def test_a_plan_says_beforehand_that_its_seeds_do_not_reach_the_margin(make_plan):
    short = told(make_plan(list(PAIR), range(5), practical=0.01), KNOWN)
    assert "a difference of the margin (0.01) would be shown with probability 28 %" in short
    assert "the seeds do not reach the margin: that takes 15" in short
    assert "do not reach" not in told(make_plan(list(PAIR), range(5), practical=0.1), KNOWN)
    auto = make_plan(list(PAIR), range(5), practical="auto")
    assert "margin" not in told(auto, KNOWN)
    assert "of the margin (0.01)" in told(auto, replace(KNOWN, margin=0.01))


def test_what_was_seen_so_far_tells_how_many_seeds_it_takes(make_plan, stored):
    plan = make_plan(list(PAIR), range(5))
    words = told(plan, history_of(plan, [stored(300), stored(8, plan["name"], shift=0.004)]))
    assert "mqa - gqa: a difference of the size seen so far (" in words
