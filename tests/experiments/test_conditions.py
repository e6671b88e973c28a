"""One file, several experiments: designs, budgets, scales and fresh seeds."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lab import ablate, experiment, write_yaml
from test_plan import wide

from harness.analysis.effects.brackets import bracket_lines
from harness.analysis.verdicts.compare import compare
from harness.core.cost import measure_cost
from harness.errors import AblateError
from harness.experiments.planning.loading import load_experiment
from harness.experiments.question.arms import resolve_arm
from harness.experiments.question.conditions import confirmation, main_question, other_conditions
from harness.experiments.question.resolve import resolve
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.training.budget import Budget

CPU = torch.device("cpu")
SEVERAL = {
    "designs": {"re_spent": {"params": "2%"}, "written": "none"},
    "budgets": ["0.5x", "1x"],
    "scales": {"narrow": {"variant": {"d_model": 8, "d_ff": 16}}},
}


@pytest.fixture
def load(tmp_path):
    def read(data, *overrides):
        return load_experiment(write_yaml(tmp_path / "x.yaml", data), overrides)

    return read


def several(small, **changes):
    data = wide(small, **copy.deepcopy({**SEVERAL, **changes}))
    del data["match"]
    return data


def test_a_file_is_a_main_experiment_and_one_for_each_condition(small, load):
    loaded = load(several(small))
    assert [one.resolved.experiment.name for one in (loaded, *loaded.conditions)] == [
        "small",
        "small.written",
        "small.0.5x",
        "small.narrow",
    ]
    assert [one.condition.kind for one in loaded.conditions] == ["design", "budget", "scale"]


def test_each_condition_differs_from_the_main_one_in_a_single_respect(small, load):
    loaded = load(several(small))
    main = loaded.resolved
    design, budget, scale = (one.resolved for one in loaded.conditions)
    assert (main.match is not None, design.match) == (True, None)
    assert design.arms == main.arms
    assert budget.match == scale.match == main.match
    for name, arm in main.arms.items():
        halved = replace(
            arm, train=arm.train.model_copy(update={"budget": budget.arms[name].train.budget})
        )
        assert budget.arms[name] == halved
        assert (arm.train.budget.steps, halved.train.budget.steps) == (4, 2)
        assert scale.arms[name].variant == arm.variant.resized(d_model=8, head_dim=4, d_ff=16)
        assert scale.arms[name].train == arm.train


def test_budgets_of_arms_and_levels_are_scaled_too(small):
    levels = {"long": {"train": {"budget": {"tokens": "1k"}}}, "short": None}
    by_factor = several(small, factors={"budget": levels, "one": {"x": None}}, arms={})
    by_arm = several(small, arms={"a": {"train": {"budget": {"tokens": "1k"}}}, "b": None})
    for data, path in ((by_arm, ("arms", "a")), (by_factor, ("factors", "budget", "long"))):
        [scaled] = [one.data for one in other_conditions(data) if one.condition.kind == "budget"]
        for key in path:
            scaled = scaled[key]
        assert scaled == {"train": {"budget": {"tokens": 500}}}


def test_plans_know_what_they_are_a_condition_of(small, load, tmp_path):
    loaded = load(several(small, confirm=4))
    store = RunStore(tmp_path / "results")
    main = loaded.plan(store, CPU).record
    assert main["condition"] is None
    assert main["conditions"] == [
        {"kind": "confirm", "name": "confirm", "experiment": "small.confirm"},
        {"kind": "design", "name": "written", "experiment": "small.written"},
        {"kind": "budget", "name": "0.5x", "experiment": "small.0.5x"},
        {"kind": "scale", "name": "narrow", "experiment": "small.narrow"},
    ]
    record = loaded.conditions[1].plan(store, CPU).record
    assert record["condition"] == {"kind": "budget", "name": "0.5x", "main": "small"}
    assert record["conditions"] == []


def test_conditions_do_not_change_the_runs_of_the_main_experiment(small, plan, load, tmp_path):
    alone = wide(small, match={"params": "2%"})
    ids = [run.run_id for run in plan(alone).runs]
    main = load(several(small, confirm=4)).plan(RunStore(tmp_path / "results"), CPU)
    assert [run.run_id for run in main.runs] == ids


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"match": "none"}, r"x\.yaml:\d+:\d+  designs: say what `match` says"),
        ({"budgets": ["half"]}, r"x\.yaml:\d+:\d+  budgets\.0: must be a share .* got 'half'"),
        ({"budgets": ["0x"]}, "must be a share of the budget such as 0.5x, but got '0x'"),
        ({"budgets": ["1x", "1.0x"]}, "budgets: must be distinct"),
        ({"confirm": 3}, "confirm: must be at least 4 fresh seeds, or 0 for none, but got 3"),
        ({"designs": {"a": "nothing"}}, "designs: a must be what `match` would say"),
        ({"designs": {"a": {"params": "2%"}, "b": {"flops": "2%"}}}, r"designs\.b\.flops: unknown"),
        ({"designs": {"a": {"flops": "2%"}, "b": "none"}}, r"designs\.a\.flops: unknown key"),
        ({"scales": {"written": {}}}, "two conditions are named 'written'"),
        ({"scales": {"s": {"varient": {}}}}, r"scales\.s\.varient: unknown key .*'variant'"),
        ({"scales": {"s": {"variant": {"n_heads": 3}}}}, r"scales\.s\.variant\.n_heads: d_model"),
        ({"scales": {"a/b": {}}}, r"scales\.a/b: must be named with letters"),
    ],
)
def test_a_mistake_in_a_condition_is_told_at_its_line(small, load, changes, message):
    with pytest.raises(AblateError, match=message):
        load({**several(small), **changes})


def test_a_plan_that_a_condition_cannot_have_is_refused_before_anything_trains(
    small, tmp_path, corpus
):
    """The second design cannot be matched: nothing of the first one is trained."""
    data = small(
        designs={"as_written": "none", "exact": {"params": "0.0001%"}},
        arms={"mha": {"variant": {"attention": "mha"}}, "mqa": {}},
        baseline="mqa",
    )
    del data["match"]
    file = write_yaml(tmp_path / "x.yaml", data)
    ended = ablate("run", file, "--inline", results=tmp_path / "results")
    assert ended.code == 2
    assert "cannot be matched" in ended.err
    assert list(RunStore(tmp_path / "results").runs()) == []


def test_every_size_gets_the_tokens_of_the_rule(small, load):
    data = several(small)
    data["base"]["train"]["budget"] = {"tokens_per_param": 0.5}
    loaded = load(data)
    design, half, narrow = (one.resolved for one in loaded.conditions)
    for resolved, rate in ((loaded.resolved, 0.5), (design, 0.5), (half, 0.25), (narrow, 0.5)):
        budgets = {arm.train.budget for arm in resolved.arms.values()}
        base = resolve_arm(resolved.experiment.base, "base", {}, {}, Path()).variant
        assert budgets == {Budget(tokens=round(rate * measure_cost(base, 8).params))}
    tokens = [one.experiment.base["train"]["budget"]["tokens"] for one in (design, narrow)]
    assert tokens[1] < tokens[0]


@pytest.mark.parametrize(
    ("where", "budget", "message"),
    [
        ("base", {"tokens_per_param": 0}, r"base\.train\.budget\.tokens_per_param: must be a numb"),
        ("base", {"tokens_per_param": "2x"}, "above 0 and up to 1,000,000, but got '2x'"),
        (
            "base",
            {"tokens_per_param": 1, "steps": 2},
            r"base\.train\.budget: must have tokens_per_",
        ),
        ("mha", {"tokens_per_param": 1}, r"arms\.mha\.train\.budget\.tokens_per_param: "),
    ],
)
def test_a_rule_that_is_none_is_told_at_its_line(small, load, where, budget, message):
    data = several(small)
    patch = data["base"] if where == "base" else data["arms"].setdefault(where, {})
    patch.setdefault("train", {})["budget"] = budget
    with pytest.raises(AblateError, match=message):
        load(data)


def test_a_scale_may_begin_with_a_preset_and_keeps_the_width_of_mup(small):
    data = several(small, parametrization="mup")
    data["scales"]["tiny"] = {"variant": {"preset": "tiny", "vocab_size": 300}}
    widths = {"small": main_question(data)["base"]["variant"]}
    widths |= {one.condition.name: one.data["base"]["variant"] for one in other_conditions(data)}
    assert {one["mup_base_width"] for one in widths.values()} == {32}
    assert widths["tiny"]["d_model"] != 32


def test_fresh_seeds_are_for_the_arms_of_resolved_contrasts(small, tmp_path, make_verdicts):
    data = small(
        arms={"a": {}, "b": {"variant": {"ffn": "gelu"}}, "c": {"variant": {"ffn": "relu"}}},
        baseline="a",
        contrasts={"primary": "c - a"},
        confirm=5,
        seeds=6,
    )
    resolved = resolve(data, tmp_path)
    again = confirmation(resolved, make_verdicts({"a": 0.0, "b": 0.0, "c": 0.1}))
    assert list(again.arms) == ["a", "c"]
    assert again.contrasts == {"primary": ("c", "a")}
    assert again.experiment.seed_list == [2_000_000 + i for i in range(5)]
    assert again.experiment.name == "small.confirm"
    assert confirmation(resolved, make_verdicts({"a": 0.0, "b": 0.0, "c": 0.0})) is None
    against = confirmation(resolved, make_verdicts({"a": 0.0, "b": 0.1, "c": 0.0}))
    assert list(against.arms) == ["a", "b"]


@pytest.fixture
def make_verdicts():
    """Compare arms whose means are these, with noise over six seeds."""

    def make(means):
        noise = np.random.default_rng(0).normal(scale=1e-3, size=(len(means), 6))
        rows = [
            {
                "arm": arm,
                "seed": s,
                "replica": 0,
                "run_id": f"{arm}{s}",
                "environment": "cpu",
                "status": "done",
                "tokens_per_s": 1.0,
                "seconds": 1.0,
                "val_bpb": mean + noise[i, s],
            }
            for i, (arm, mean) in enumerate(means.items())
            for s in range(6)
        ]
        arms = {arm: {"variant": {}, "changes": {}, "cost": {"params": 1}} for arm in means}
        plan = {
            "name": "small",
            "baseline": "a",
            "metric": "val_bpb",
            "alpha": 0.05,
            "contrasts": {"primary": ["c", "a"]},
            "seeds": list(range(6)),
            "arms": arms,
            "runs": [],
            "question": "",
            "held_equal": [],
            "differs": [],
        }
        return compare(plan, pd.DataFrame(rows))

    return make


@pytest.fixture(scope="module")
def finished(tmp_path_factory, corpus):
    """Run a file with every kind of condition, on two arms whose difference is plain."""
    folder = tmp_path_factory.mktemp("conditions")
    data = experiment(
        corpus,
        arms={"slow": {"train": {"optimizer": {"lr": 1e-6}}}, "plain": {}},
        baseline="plain",
        seeds=4,
        confirm=4,
        designs={"as_written": "none", "matched": {"params": "2%"}},
        budgets=["0.5x", "1x"],
        scales={"narrow": {"variant": {"d_model": 8, "d_ff": 16}}},
    )
    del data["match"]
    file = write_yaml(folder / "x.yaml", data)
    ended = ablate("run", file, "--inline", results=folder / "results")
    assert ended.code == 0, ended.err
    return folder, file, ended


def test_run_asks_under_every_condition_and_says_what_holds(finished):
    folder, _, ended = finished
    store = ExperimentStore(folder / "results")
    assert store.names() == [
        "small",
        *(f"small.{n}" for n in ("0.5x", "confirm", "matched", "narrow")),
    ]
    assert store.open("small.confirm").plan["seeds"] == [2_000_000 + i for i in range(4)]
    assert (store.open("small.0.5x").runs["steps"] == 2).all()
    assert ended.out.index("under confirm") < ended.out.index("under design matched")
    assert "Does it hold?" in ended.out
    assert "confirmed" in ended.out
    assert "has the same sign at 1x, 0.5x of the budget (2 resolved)" in ended.out or (
        "at one budget" not in ended.out  # the arms are one architecture: nothing to label
    )


def test_what_has_been_run_is_not_run_again(finished):
    folder, file, _ = finished
    again = ablate("run", file, "--inline", results=folder / "results")
    assert again.code == 0
    assert "training 0" in again.out and "training 8" not in again.out


def test_compare_shows_the_conditions_of_the_main_experiment(finished):
    folder, _, _ = finished
    found = ablate("compare", "small", "--json", results=folder / "results").json
    by_name = {one["condition"]: one for one in found["conditions"]}
    assert by_name.keys() == {"confirm", "matched", "0.5x", "narrow"}
    assert by_name["confirm"]["holds"] == "confirmed"
    assert by_name["confirm"]["change"] is None
    assert by_name["matched"]["change"]["mean"] == 0  # the same runs, seed by seed
    assert any("neither tuned there nor carried over" in note for note in found["condition_notes"])
    alone = ablate("compare", "small.0.5x", "--json", results=folder / "results").json
    assert alone["conditions"] == []


def test_plan_shows_every_condition(finished):
    folder, file, _ = finished
    shown = ablate("plan", file, results=folder / "results").out
    for title in ("design matched", "budget 0.5x", "scale narrow"):
        assert title in shown
    assert "asked again on 4 fresh seeds: at most 8 runs more" in shown
    data = ablate("plan", file, "--json", results=folder / "results").json
    assert [plan["name"] for plan in data["condition_plans"]] == [
        "small.matched",
        "small.0.5x",
        "small.narrow",
    ]


def test_experts_are_bracketed_by_dense_arms_or_the_plan_says_so(small, plan):
    experts = {"variant": {"ffn": {"name": "moe", "n_experts": 4, "top_k": 1}}}
    wider = {"variant": {"d_ff": 64}}
    data = small(arms={"moe": experts, "dense": wider}, baseline="dense")
    record = plan(data).record
    cost = record["arms"]["moe"]["cost"]
    [line] = bracket_lines(record)
    assert "moe has experts, and no dense arm has as many parameters as a token meets" in line
    record["arms"]["small"] = {
        "cost": {"params": cost["params_active"], "params_active": cost["params_active"]}
    }
    [line] = bracket_lines(record)
    assert "a token meets" not in line
    record["arms"]["large"] = {"cost": {"params": cost["params"], "params_active": cost["params"]}}
    assert list(bracket_lines(record)) == []
