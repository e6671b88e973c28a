"""The front over quality and cost, given how sure differences are."""

import numpy as np
import pytest

from harness.analysis.effects.pareto import COSTS, pareto
from harness.analysis.verdicts.compare import compare

NOISE = 2e-3


@pytest.fixture
def front(make_plan, make_runs):
    """Return the arms' places; given are the mean and the parameters of each."""

    def make(arms, metric="val_bpb", n=6, cost="params", lost=()):
        generator = np.random.default_rng(1)
        blocks = 0.02 * generator.normal(size=n)
        values = {a: m + blocks + NOISE * generator.normal(size=n) for a, (m, _) in arms.items()}
        planned = {a: {"variant": {}, "cost": {"params": p}} for a, (_, p) in arms.items()}
        plan, runs = make_plan(planned, range(n), metric=metric), make_runs(values, metric)
        runs.loc[runs["arm"].isin(lost), "status"] = "failed"
        return {one.arm: one for one in pareto(plan, runs, compare(plan, runs).arms, cost)}

    return make


def on_it(places):
    return [name for name, one in places.items() if one.is_on_the_front]


def test_an_arm_that_costs_more_and_is_worse_is_dominated(front):
    places = front({"large": (1.6, 30), "small": (1.8, 10), "bad": (1.9, 20)})
    assert on_it(places) == ["small", "large"]
    assert places["bad"].dominated_by == ("small",)


def test_what_is_cheaper_or_better_is_not(front):
    assert on_it(front({"a": (1.8, 10), "b": (1.7, 20), "c": (1.6, 30)})) == ["a", "b", "c"]


def test_a_difference_that_is_not_resolved_dominates_nothing_and_is_named(front):
    places = front({"a": (1.8, 10), "b": (1.8012, 20)})
    assert on_it(places) == ["a", "b"]
    assert places["b"].rivals == ("a",)


def test_of_arms_that_cost_the_same_the_resolved_better_one_dominates(front):
    assert on_it(front({"a": (1.8, 10), "b": (1.7, 10)})) == ["b"]


def test_accuracy_is_better_when_it_is_higher(front):
    assert on_it(front({"a": (0.8, 10), "b": (0.7, 20)}, metric="val_accuracy")) == ["a"]


def test_three_seeds_dominate_nothing(front):
    assert on_it(front({"a": (1.6, 10), "b": (1.9, 20)}, n=3)) == ["a", "b"]


def test_arms_without_a_value_or_the_cost_are_left_out(front):
    assert list(front({"a": (1.6, 10), "b": (1.9, 20)}, lost=["b"])) == ["a"]
    assert front({"a": (1.6, 10), "b": (1.9, 20)}, cost="weight_bytes") == {}


def test_every_cost_is_one_of_an_arms_summary(make_plan, make_runs):
    plan, runs = make_plan(["a", "b"], range(4)), make_runs({"a": [1, 2, 3, 4], "b": [2, 3, 4, 6]})
    [arm, _] = compare(plan, runs).arms
    assert all(hasattr(arm, cost) for cost in COSTS)
