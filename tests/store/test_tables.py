"""Tables are views: everything in them comes from the run folders, and nothing is left out."""

import math

import pandas as pd
import pytest

from harness.errors import AblateError
from harness.store.errors import StoreError
from harness.store.experiments import ExperimentStore
from harness.store.records import Result
from harness.store.runs import RunStore
from harness.store.tables import CURVE_COLUMNS, RUN_COLUMNS, collect

COST = {"params": 100, "params_non_embedding": 60, "train_flops_per_token": 600, "cache_bytes": 32}


@pytest.fixture
def plan():
    arms = {
        "gqa": {"variant": {}, "changes": {}, "cost": COST, "factors": {"kv": 2, "ffn": "swiglu"}},
        "mqa": {"variant": {}, "changes": {}, "cost": COST, "factors": {"kv": 1, "ffn": {"n": 1}}},
    }
    runs = [
        {"arm": arm, "seed": seed, "replica": 0, "run_id": f"{arm}{seed}", "environment": "cpu"}
        for arm in arms
        for seed in (3, 4)
    ]
    return {
        "name": "attention",
        "question": "?",
        "baseline": "gqa",
        "metric": "val_bpb",
        "alpha": 0.05,
        "contrasts": {},
        "held_equal": [],
        "differs": [],
        "seeds": [3, 4],
        "arms": arms,
        "runs": runs,
    }


def _train(store, run_id, bpb, status="done", environment="cpu"):
    attempt = store.new_attempt(run_id, environment)
    with attempt.hold():
        attempt.append_measurement({"step": 5, "val_bpb": bpb + 1, "lr": 0.1, "gate": 0.5})
        metrics = {"val_bpb": bpb, "steps": 10, "recall": 0.25}
        attempt.finish(Result(status=status, seconds=2.0, metrics=metrics, cause=None))
    return attempt


def test_a_plan_of_which_nothing_has_run_is_queued_and_has_every_column(plan, tmp_path):
    runs, curves = collect(plan, RunStore(tmp_path))
    assert list(runs["status"]) == ["queued"] * 4
    assert list(runs["arm"]) == ["gqa", "gqa", "mqa", "mqa"]
    assert list(runs["seed"]) == [3, 4, 3, 4]
    assert set(RUN_COLUMNS) < set(runs.columns)
    assert list(curves.columns) == list(CURVE_COLUMNS)
    assert runs["val_bpb"].isna().all()
    assert list(runs["params"]) == [100] * 4


def test_what_a_run_left_is_in_its_row(plan, tmp_path):
    store = RunStore(tmp_path)
    _train(store, "mqa4", 1.25)
    runs, curves = collect(plan, store)
    row = runs.set_index(["arm", "seed"]).loc[("mqa", 4)]
    assert (row["status"], row["val_bpb"], row["steps"], row["seconds"]) == ("done", 1.25, 10, 2.0)
    assert (row["attempt"], row["recall"]) == (1, 0.25)
    assert list(runs["factor.ffn"]) == ["swiglu", "swiglu", '{"n": 1}', '{"n": 1}']
    assert list(runs["factor.kv"]) == [2, 2, 1, 1]
    [point] = curves.to_dict("records")
    assert (point["arm"], point["seed"], point["run_id"]) == ("mqa", 4, "mqa4")
    assert (point["step"], point["val_bpb"], point["gate"]) == (5, 2.25, 0.5)


def test_types_do_not_depend_on_what_has_run(plan, tmp_path):
    store = RunStore(tmp_path)
    before = collect(plan, store)
    _train(store, "gqa3", 1.25)
    for nothing, something, columns in zip(
        before, collect(plan, store), (RUN_COLUMNS, CURVE_COLUMNS), strict=True
    ):
        expected = pd.Series(columns)
        assert (nothing.dtypes[columns.keys()].astype(str) == expected).all()
        assert (something.dtypes[columns.keys()].astype(str) == expected).all()


def test_only_the_attempts_that_the_plan_names_stand_for_a_run(plan, tmp_path):
    """An older attempt may have been made by code that computed something else."""
    store = RunStore(tmp_path)
    for bpb in (1.25, 1.5):
        _train(store, "gqa3", bpb)
    planned = plan["runs"][0]
    planned.update(reuses=1, attempts_from=3)
    assert collect(plan, store)[0]["val_bpb"][0] == 1.25
    planned.update(reuses=None)
    assert collect(plan, store)[0]["status"][0] == "queued"
    _train(store, "gqa3", 1.75, status="failed")
    runs, _ = collect(plan, store)
    assert (runs["status"][0], runs["attempt"][0]) == ("failed", 3)
    assert not {"reuses", "attempts_from"} & set(runs.columns)


def test_another_environment_is_not_taken_for_the_planned_one(plan, tmp_path):
    store = RunStore(tmp_path)
    _train(store, "mqa4", 1.25, environment="cuda")
    assert set(collect(plan, store)[0]["status"]) == {"queued"}


def test_a_diverged_run_is_shown_with_what_it_had(plan, tmp_path):
    store = RunStore(tmp_path)
    _train(store, "gqa3", math.nan, status="diverged")
    runs, curves = collect(plan, store)
    assert runs["status"][0] == "diverged"
    assert runs["val_bpb"].isna()[0]
    assert len(curves) == 1


@pytest.mark.parametrize("name", ["result.json", "curve.jsonl", "run.json"])
def test_a_corrupt_run_is_listed_as_such_and_the_others_are_read(plan, tmp_path, name):
    store = RunStore(tmp_path)
    _train(store, "gqa4", 1.5)
    (_train(store, "gqa3", 1.25).path / name).write_text("{\n")
    runs, _ = collect(plan, store)
    assert list(runs["status"][:2]) == ["corrupt", "done"]
    assert name in runs["cause"][0]


def test_tables_are_read_back_as_they_were_written(plan, tmp_path):
    store = RunStore(tmp_path)
    experiments = ExperimentStore(tmp_path)
    experiments.write_plan(plan)
    assert experiments.open("attention").runs.empty
    for run in ("gqa3", "mqa3"):
        _train(store, run, 1.25)
    for runs, curves in (collect(plan, store), collect({**plan, "runs": []}, store)):
        experiments.write_tables("attention", runs, curves, pd.DataFrame({"arm": ["gqa"]}))
        tables = experiments.open("attention")
        pd.testing.assert_frame_equal(tables.runs, runs)
        pd.testing.assert_frame_equal(tables.curves, curves)
        assert tables.plan == plan
    summary = tmp_path / "experiments" / "attention" / "summary.csv"
    assert summary.read_text() == "arm\ngqa\n"


def test_an_unknown_experiment_gets_the_nearest_name(plan, tmp_path):
    store = ExperimentStore(tmp_path)
    with pytest.raises(AblateError, match="Known: none"):
        store.open("attention")
    store.write_plan(plan)
    (tmp_path / "experiments" / "unplanned").mkdir()
    assert store.names() == ["attention"]
    with pytest.raises(AblateError, match=r"Did you mean 'attention'.*Known: attention"):
        store.open("atention")
    with pytest.raises(AblateError, match="must be 1 to 96"):
        store.write_plan({**plan, "name": "../attention"})


@pytest.mark.parametrize(
    ("name", "content"),
    [("plan.json", "{"), ("plan.json", "[]"), ("plan.json", "{}"), ("runs.parquet", "PAR1")],
)
def test_a_corrupt_file_of_an_experiment_is_named(plan, tmp_path, name, content):
    store = ExperimentStore(tmp_path)
    store.write_plan(plan)
    (tmp_path / "experiments" / "attention" / name).write_text(content)
    with pytest.raises(StoreError, match=f"{name}: corrupt"):
        store.open("attention")


def test_sets_have_columns_before_anything_is_scored_on_them(plan, tmp_path):
    experiments = ExperimentStore(tmp_path)
    experiments.write_plan({**plan, "evaluate": {"recall": {"metric": "val_accuracy"}}})
    seen = [
        experiments.open("attention").runs,
        collect(experiments.open("attention").plan, RunStore(tmp_path))[0],
    ]
    for runs in seen:
        assert runs["recall/val_accuracy"].isna().all()
        assert runs.dtypes["recall/val_accuracy"] == "float64"
