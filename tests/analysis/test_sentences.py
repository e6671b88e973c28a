"""Sentences, tables and data say the same: the claim, its interval, n, and what was held equal."""

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from harness.analysis.verdicts.compare import compare
from harness.analysis.verdicts.costs import cost_differences
from harness.analysis.words.rendering import comparison_tables
from harness.analysis.words.sentences import sentence
from harness.analysis.words.summary import comparison_dict, summary_frame

BASE = 1.9 + np.array([0.0, 0.01, 0.02, 0.015, 0.005])
COST = {"params": 1_000_000, "train_flops_per_token": 7_934_000, "cache_bytes": 12_400}
LARGER = {"params": 1_100_000}
NOISE = np.array([0.006, -0.007, 0.004, -0.003, 0.0])


@pytest.fixture
def said(make_plan, make_runs):
    def say(shift, metric="val_bpb", noise=NOISE, mqa=LARGER, **changes):
        arms = {"gqa": {"cost": COST}, "mqa": {"cost": {**COST, **mqa}}}
        plan = make_plan(arms, **{"seeds": range(5), "metric": metric, **changes})
        runs = make_runs({"gqa": BASE, "mqa": BASE + shift + noise}, metric)
        return sentence(compare(plan, runs).contrasts[0], plan)

    return say


def test_a_worse_arm_in_full(said):
    assert said(0.012) == (
        "mqa is worse than gqa by 0.0120 val_bpb (95 % interval 0.0055 to 0.0185, n = 5), with "
        "training FLOPs per token (within 1 %) and tokens (1M) held equal, but not parameters "
        "(+10.0 %)."
    )


def test_the_size_and_interval_of_a_claim_are_positive_in_either_direction(said):
    assert "mqa is better than gqa by 0.0120 val_bpb (95 % interval 0.0055 to 0.0185" in said(
        -0.012
    )
    assert "mqa is worse than gqa by 0.0120 val_accuracy" in said(-0.012, "val_accuracy")


def test_costs_that_go_with_the_parameters_are_named_where_they_do_not():
    dense = {**COST, "params_active": 1_000_000, "weight_bytes": 4_000_000}
    moe = {**dense, "params": 2_000_000, "weight_bytes": 8_000_000}
    assert cost_differences(moe, dense) == {"parameters": 1.0}
    assert cost_differences(dense | {"weight_bytes": 1_000_000}, dense) == {"weight bytes": -0.75}
    twice = {key: 2 * moe[key] for key in ("params", "params_active", "weight_bytes")}
    assert cost_differences(moe | twice, moe) == {"parameters": 1.0}
    assert cost_differences(moe | {"params_active": 500_000}, moe) == {"active parameters": -0.5}


def test_an_unresolved_difference_keeps_its_signs_and_says_what_to_plan(said):
    words = said(-0.001)
    assert "mqa against gqa is not resolved: the difference is -0.0010 val_bpb" in words
    assert "(95 % interval -0.0075 to +0.0055, n = 5)" in words
    assert words.endswith("To resolve a difference of this size (power 0.8), plan >200 seeds.")
    assert re.search(r"plan \d\d seeds", said(-0.004))
    assert said(0.0, noise=0.0).endswith("The arms agree exactly at every seed.")


def test_a_refusal_shows_reason_and_number_and_claims_no_order(said):
    words = said(0.012, seeds=[0, 1, 2, 3, 4, 5])
    assert words.startswith("mqa against gqa is refused: mqa lacks seed 5 (not planned)")
    assert "the difference is +0.0120 val_bpb (95 % interval +0.0055 to +0.0185, n = 5)" in words
    assert "planned with training FLOPs per token (within 1 %)" in words
    assert not re.search("better|worse", words)


@pytest.mark.parametrize("shift", [0.012, 0.001])
def test_what_was_held_equal_is_always_said(said, shift):
    equal = {"params": 1_000_000}
    tokens = said(shift, held_equal=["tokens (1M)"], mqa=equal)
    assert "with tokens (1M) held equal." in tokens
    nothing = said(shift, held_equal=[], mqa={"params": 900_000, "cache_bytes": 6_200})
    differ = "parameters (-10.0 %) and cache bytes (-50.0 %)"
    assert f"with nothing matched: the arms differ in {differ}." in nothing
    assert "with nothing matched." in said(shift, held_equal=[], mqa=equal)


def test_costs_of_arms_that_are_not_compared_are_not_mentioned(make_plan, make_runs):
    plan = make_plan(["gqa", "mqa", "large"], range(5))
    plan["arms"]["large"] = {**plan["arms"]["large"], "cost": {**COST, "params": 9_000_000}}
    runs = make_runs({arm: BASE + NOISE * i for i, arm in enumerate(plan["arms"])})
    said = {c.arm: sentence(c, plan) for c in compare(plan, runs).contrasts}
    assert "parameters" in said["large"]
    assert "parameters" not in said["mqa"]


def test_settings_are_told_for_the_two_arms_that_are_compared(make_plan, make_runs):
    train = {
        "budget": {"tokens": 1_000_000},
        "batch_size": 4,
        "seq_len": 8,
        "optimizer": {"lr": 0.004},
        "schedule": {},
    }
    arm = {"cost": COST, "train": train, "data": {}, "variant": {}, "init_from": None}
    slow = {**arm, "train": {**train, "optimizer": {"lr": 0.001}}}
    warm = {**arm, "init_from": {"folder": "out", "digest": ""}}
    arms = {"base": arm, "slow": slow, "warm": warm}
    held = ["parameters (within 1 %)", "the budget (1M tokens)", "the batches"]
    plan = make_plan(arms, range(5), held_equal=held)
    runs = make_runs({name: BASE + NOISE * i for i, name in enumerate(arms)})
    said = {c.arm: sentence(c, plan) for c in compare(plan, runs).contrasts}
    common = "parameters (within 1 %), the budget (1M tokens)"
    assert (
        f"with {common} and the batches held equal, but not optimizer.lr (0.001 against 0.004)"
        in (said["slow"])
    )
    assert (
        f"{common}, the batches and the learning rate and its schedule held equal" in said["warm"]
    )
    assert "but not initial weights (those of out against drawn from the seed)." in said["warm"]


def test_a_bound_beside_zero_is_not_printed_as_zero(said):
    assert "0.00002 to 0.01304" in said(0.00653)


def test_tables_fit_and_show_every_number(make_plan, make_runs):
    arms = ["gqa", "mqa", "a_rather_long_name"]
    plan = make_plan(arms, range(5), contrasts={"primary": ["mqa", "gqa"]})
    runs = make_runs({arm: BASE + i * (0.012 + NOISE) for i, arm in enumerate(arms)})
    runs.loc[runs["arm"] == arms[2], "status"] = ["done", "done", "diverged", "failed", "queued"]
    comparison = compare(plan, runs)
    for width in (80, 120):
        console = Console(width=width, record=True, file=io.StringIO())
        for part in comparison_tables(comparison, plan):
            console.print(part)
        text = console.export_text()
        for words in ("1.31M", "7.93M", "12.4 kB", "T=128", "2/5", "1.922 ± 0.011", "worse"):
            assert words in text
        assert "+0.0055 to +0.0185" in text
        assert "1 diverged, 1 failed" in text
        assert "…" not in text


def test_the_summary_has_each_arm_and_each_contrast(make_plan, make_runs):
    plan = make_plan(["gqa", "mqa"], range(5))
    frame = summary_frame(compare(plan, make_runs({"gqa": BASE, "mqa": BASE + 0.012 + NOISE})))
    assert list(frame["arm"]) == ["gqa", "mqa"]
    assert frame["contrast_verdict"].isna().tolist() == [True, False]
    mqa = frame.iloc[1]
    assert (mqa["contrast_baseline"], mqa["contrast_verdict"]) == ("gqa", "worse")
    assert "mqa,val_bpb,5," in frame.to_csv(index=False)
    alone = summary_frame(compare(make_plan(["gqa"], range(5)), make_runs({"gqa": BASE})))
    assert list(alone["arm"]) == ["gqa"]


def test_the_dictionary_is_strict_json_and_complete(make_plan, make_runs):
    plan = make_plan(["gqa", "mqa"], range(5))
    comparison = compare(plan, make_runs({"gqa": BASE, "mqa": BASE + 0.012 + NOISE}))
    data = comparison_dict(comparison, plan)
    again = json.loads(json.dumps(data, allow_nan=False))
    assert again == data
    assert again["held_equal"] == plan["held_equal"]
    [contrast] = again["contrasts"]
    assert contrast["verdict"] == "worse"
    assert contrast["sentence"] == sentence(comparison.contrasts[0], plan)
