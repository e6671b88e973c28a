"""How many seeds there are, what they vary, and what compute buys at them."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from lab import ablate, experiment, write_yaml

from harness.analysis.statistics.two_stage import seeds_after_pilot
from harness.errors import ConfigError
from harness.experiments.question.resolve import resolve
from harness.store.experiments import ExperimentStore

PILOT = {"pilot": 4, "resolve": 0.1, "max": 12}


def done(folder, data):
    """Run an experiment; return how that ended, and what is stored."""
    file, results = write_yaml(folder / "x.yaml", data), folder / "results"
    ended = ablate("run", file, "--inline", results=results)
    assert ended.code == 0, ended.err
    return " ".join(ended.out.split()), ExperimentStore(results).open(data["name"])


def noisy(corpus, **changes):
    """Return an experiment whose seeds differ enough for a pilot to ask for more."""
    data = experiment(corpus, **changes)
    data["base"]["train"]["optimizer"] = {"name": "adamw", "lr": 0.2}
    return data


@pytest.fixture(scope="module")
def two_stages(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two stages")
    return folder, *done(folder, noisy(corpus, seeds=PILOT))


def test_the_pilot_says_how_many_seeds_there_are(two_stages):
    _, said, tables = two_stages
    seeds = tables.plan["seeds"]
    pilot = {**tables.plan, "seeds": seeds[:4]}
    assert len(seeds) == seeds_after_pilot(pilot, tables.runs[tables.runs["seed"] < 4])
    assert 4 < len(seeds) <= 12
    assert (tables.runs["status"] == "done").all() and len(tables.runs) == 2 * len(seeds)
    assert f"a pilot of 4 seeds asks for {len(seeds)}" in said


def test_the_same_command_asks_for_no_more_seeds(two_stages, corpus):
    folder, _, before = two_stages
    said, tables = done(folder, noisy(corpus, seeds=PILOT))
    assert "training 0" in said
    assert tables.plan["seeds"] == before.plan["seeds"]


def test_the_number_does_not_depend_on_the_means(two_stages):
    _, _, tables = two_stages
    shifted = tables.runs.assign(
        val_bpb=tables.runs["val_bpb"] + 9.0 * (tables.runs["arm"] == "gelu")
    )
    pilot = {**tables.plan, "seeds": tables.plan["seeds"][:4]}
    assert seeds_after_pilot(pilot, shifted) == seeds_after_pilot(pilot, tables.runs)


def test_a_rule_never_asks_for_more_than_allowed(corpus, tmp_path):
    said, tables = done(tmp_path, noisy(corpus, seeds={"pilot": 4, "resolve": 1e-6, "max": 5}))
    assert tables.plan["seeds"] == [0, 1, 2, 3, 4]
    assert "which is all that were allowed" in said


def test_a_plan_names_the_pilot_and_its_limit(corpus, tmp_path):
    file = write_yaml(tmp_path / "x.yaml", noisy(corpus, seeds=PILOT))
    said = " ".join(ablate("plan", file, results=tmp_path / "results").out.split())
    assert "seeds: a pilot of 4, then as many as half an interval of 0.1 val_bpb takes, 12" in said
    assert "8 report (0 in the store)" in said


def losses(tables):
    one = tables.runs[tables.runs["arm"] == "swiglu"]
    return one.sort_values("seed")["val_loss"].tolist()


def test_what_is_held_is_the_same_for_all_seeds(corpus, tmp_path):
    """Without dropout in the variant, seeds that vary nothing else are repetitions."""
    _, tables = done(tmp_path, experiment(corpus, seeds={"count": 2, "vary": ["dropout"]}))
    first, second = losses(tables)
    assert first == second


@pytest.mark.parametrize(
    ("source", "words"), [("data", "the order of the data"), ("init", "initial weights")]
)
def test_what_is_not_held_varies_and_the_sentence_says_what_is(corpus, tmp_path, source, words):
    said, tables = done(tmp_path, experiment(corpus, seeds={"count": 2, "hold": [source]}))
    first, second = losses(tables)
    assert first != second
    assert f"{words} being the same for all seeds" in said
    assert tables.plan["held_sources"] == [source]


def test_holding_is_part_of_what_a_run_is_and_varying_everything_is_not(small, plan):
    ids = [
        [run.run_id for run in plan(small(seeds=seeds)).runs]
        for seeds in (2, {"count": 2}, {"count": 2, "hold": ["data"]}, {"count": 2, "hold": []})
    ]
    assert ids[0] == ids[1] == ids[3]
    assert not set(ids[0]) & set(ids[2])


def test_a_held_source_has_the_seed_of_every_other_run(small, plan):
    runs = plan(small(seeds={"count": 3, "vary": ["init"]})).runs
    configs = [run.config for run in runs]
    assert len({config.seed_of("init") for config in configs}) == 3
    assert len({config.seed_of("data") for config in configs}) == 1
    assert configs[0] == type(configs[0]).read(configs[0].to_dict())
    copy = replace(configs[0], replica=1)
    assert copy.seed_of("data") != configs[0].seed_of("data")


MISTAKES = {
    "a small pilot": ({"pilot": 3, "resolve": 0.1, "max": 9}, "greater than or equal to 4"),
    "no goal": ({"pilot": 5, "max": 9}, "there is no resolve"),
    "a small limit": ({"pilot": 5, "resolve": 0.1, "max": 4}, "must be 5 (`pilot`) or more"),
    "two numbers": ({"count": 5, "pilot": 5, "resolve": 0.1, "max": 9}, "beside a pilot"),
    "nothing": ({}, "must have `count`"),
    "no source": ({"count": 5, "hold": ["weights"]}, "'init', 'data' or 'dropout'"),
    "both": ({"count": 5, "hold": ["data"], "vary": ["data"]}, "'data' is varied as well"),
    "everything": ({"count": 5, "hold": ["init", "data", "dropout"]}, "holds everything"),
}


@pytest.mark.parametrize(("seeds", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_seeds_is_told(small, tmp_path, seeds, words):
    with pytest.raises(ConfigError) as caught:
        resolve(small(seeds=seeds), tmp_path)
    assert caught.value.problems[0].path[0] == "seeds"
    assert words in str(caught.value)


def test_what_compute_buys_is_measured_with_the_baseline_at_half_its_budget(corpus, tmp_path):
    data = noisy(corpus, seeds=4, analysis={"practical": "auto"})
    said, tables = done(tmp_path, data)
    slope = tables.runs[tables.runs["purpose"] == "slope"]
    assert set(slope["arm"]) == {"swiglu"} and sorted(slope["seed"]) == [0, 1, 2, 3]
    assert set(slope["budget_share"]) == {0.5} and set(slope["steps"]) == {2}
    report = tables.runs[tables.runs["purpose"] == "report"]
    assert set(report["budget_share"]) == {1.0} and set(report["steps"]) == {4}
    assert "what 5 % of compute buys (4 seeds" in said


def test_without_a_margin_to_measure_there_are_no_such_runs(small, plan):
    for practical in ("none", 0.01):
        runs = plan(small(analysis={"practical": practical})).runs
        assert {run.wanted.purpose for run in runs} == {"report"}


def test_the_slope_of_a_tuned_baseline_is_at_its_chosen_setting(corpus, tmp_path):
    tune = {"train.optimizer.lr": {}, "seeds": 1, "protocol": "best"}
    data = noisy(corpus, seeds=4, analysis={"practical": "auto"}, tune=tune)
    _, tables = done(tmp_path, data)
    slope = tables.runs[tables.runs["purpose"] == "slope"]
    assert set(slope["setting"]) == {tables.plan["arms"]["swiglu"]["tuning"]["chosen"]}
    assert slope["report/val_bpb"].notna().all()


def test_a_table_of_before_there_were_purposes_is_read_as_the_report(corpus, tmp_path):
    done(tmp_path, experiment(corpus))
    folder = tmp_path / "results/experiments/small"
    new = ["purpose", "setting", "trial", "budget_share"]
    pd.read_parquet(folder / "runs.parquet").drop(columns=new).to_parquet(folder / "runs.parquet")
    plan = json.loads((folder / "plan.json").read_text())
    for key in ("tune", "seeds_rule", "held_sources", "expect", "stamped", "practical"):
        del plan[key]
    for run in plan["runs"]:
        for key in new:
            del run[key]
    (folder / "plan.json").write_text(json.dumps(plan))
    opened = ExperimentStore(tmp_path / "results").open("small")
    assert set(opened.runs["purpose"]) == {"report"}
    assert set(opened.runs["budget_share"]) == {1.0} and opened.runs["setting"].isna().all()
    for command in (["compare", "small"], ["results", "small"], ["results"]):
        ended = ablate(*command, results=tmp_path / "results")
        assert ended.code == 0, ended.err
