"""What trials are: runs of the store, within their bounds, stopped where they are compared."""

import math

import optuna
import pytest
from lab import attempts, write_yaml
from searching import files_of, search, state_of, table

from harness.experiments.planning.loading import load_experiment
from harness.search.view import as_study
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.store.status import Status

pytestmark = pytest.mark.usefixtures("deterministic")


def test_a_constraint_is_never_violated_by_what_is_trained(write, tmp_path):
    bound = 6750
    search(write(constraints={"params": bound}, trials=12), tmp_path)
    trials = state_of(tmp_path).trials
    for trial in trials:
        is_within = trial.asked["cost"]["params"] <= bound
        assert (trial.status == "infeasible") != is_within
        assert bool(trial.attempt) == is_within
    assert {trial.status for trial in trials} == {"infeasible", "done"}
    trained = {attempt.run_id for attempt in attempts(tmp_path)}
    assert trained == {trial.run_id for trial in trials if trial.status == "done"}


def test_what_does_not_go_together_is_infeasible_with_the_reason(write, tmp_path):
    space = {"variant.attention": ["gqa", "linear"], "variant.position": ["rope", "alibi"]}
    search(write(space=space, sampler="grid", trials=4), tmp_path)
    by_status = {}
    for trial in state_of(tmp_path).trials:
        by_status.setdefault(trial.status, []).append(trial)
    (refused,) = by_status["infeasible"]
    assert refused.params == {"variant.attention": "linear", "variant.position": "alibi"}
    assert "does not go together" in refused.infeasible["reason"]
    assert len(by_status["done"]) == 3


def test_a_trial_is_the_run_that_an_ablation_of_it_has(write, mapping, tmp_path):
    space = {"variant.ffn": ["gelu", "swiglu"]}
    search(write(space=space, sampler="grid", trials=2), tmp_path)
    before = {str(attempt.path) for attempt in attempts(tmp_path)}
    arms = {"gelu": {"variant": {"ffn": "gelu"}}, "swiglu": {"variant": {"ffn": "swiglu"}}}
    ablation = {key: mapping()[key] for key in ("name", "base", "samples")}
    ablation |= {"arms": arms, "seeds": [0], "match": "none"}
    path = write_yaml(tmp_path / "same.yaml", ablation)
    loaded = load_experiment(path)
    plan = loaded.plan(RunStore(tmp_path), loaded.device())
    assert plan.pending == []
    assert {str(run.done.path) for run in plan.runs} == before


def test_a_search_takes_the_runs_that_are_there_and_finds_the_same(write, tmp_path):
    space = {"variant.ffn": ["gelu", "swiglu", "relu", "geglu"]}
    whole = {"space": space, "sampler": "grid", "trials": 4}
    halved = {**whole, "name": "halved", "rungs": [0.5, 1]}
    search(write(**halved), tmp_path / "fresh")
    search(write(**whole), tmp_path / "reused")
    before = [attempt.read_curve() for attempt in attempts(tmp_path / "reused")]
    search(write(**halved), tmp_path / "reused")
    assert table(tmp_path / "reused", "halved") == table(tmp_path / "fresh", "halved")
    assert [attempt.read_curve() for attempt in attempts(tmp_path / "reused")] == before
    assert state_of(tmp_path / "reused", "halved").spent("seconds") == 0
    assert state_of(tmp_path / "fresh", "halved").spent("seconds") > 0


def test_rungs_compare_at_equal_fractions_and_continue_from_checkpoints(write, tmp_path):
    search(write(rungs=[0.25, 0.5, 1], trials=8), tmp_path)
    trials = state_of(tmp_path).trials
    ended = [trial.status for trial in trials]
    assert (ended.count("pruned"), ended.count("done")) == (6, 2)
    for trial in trials:
        fractions = [rung["fraction"] for rung in trial.rungs]
        assert fractions == [0.25, 0.5][: len(fractions)]
        (attempt,) = RunStore(tmp_path).attempts(trial.run_id)
        steps = [point["step"] for point in attempt.read_curve()]
        assert steps == sorted(set(steps))
        if trial.status == "done":
            assert [resume.step for resume in attempt.read_resumes()] == [2, 4]
            best_pruned = min(t.rungs[0]["values"]["val_bpb"] for t in trials if len(t.rungs) == 1)
            assert trial.rungs[0]["values"]["val_bpb"] <= best_pruned
        else:
            assert attempt.status is Status.INTERRUPTED
            assert attempt.checkpoints.newest(print).step == 8 * fractions[-1]


def test_a_pruner_stops_what_is_worse_than_the_median(write, tmp_path):
    pruner = {"name": "median", "n_startup_trials": 2, "n_warmup_steps": 0}
    lr = {"train.optimizer.lr": {"low": 1e-4, "high": 3e-2, "log": True}}
    points = [{"train.optimizer.lr": rate} for rate in (0.02, 0.03, 0.0001)]
    search(write(space=lr, pruner=pruner, trials=3, enqueue=points), tmp_path)
    first, second, third = state_of(tmp_path).trials
    assert (first.status, second.status, third.status) == ("done", "done", "pruned")
    assert [rung["fraction"] for rung in third.rungs] == [0.25]
    assert [rung["fraction"] for rung in first.rungs] == [0.25, 0.5, 0.75]


def test_the_same_configuration_again_is_a_duplicate_and_trains_nothing(write, tmp_path):
    points = [{"variant.ffn": "gelu"}, {"variant.ffn": "gelu"}]
    search(write(space={"variant.ffn": ["gelu", "relu"]}, enqueue=points, trials=2), tmp_path)
    first, second = state_of(tmp_path).trials
    assert (first.status, second.status) == ("done", "duplicate")
    assert second.values == first.values
    assert second.ended["same_as"] == 0
    assert len(attempts(tmp_path)) == 1


def test_a_trial_that_diverges_ends_and_the_search_goes_on(write, mapping, tmp_path):
    decay = "train.optimizer.weight_decay"
    base = mapping()["base"]
    base["train"] |= {"schedule": {"name": "cosine", "warmup": 0}, "optimizer": {"lr": 100.0}}
    path = write(base=base, space={decay: [1e30, 0.0]}, sampler="grid", trials=2)
    search(path, tmp_path)
    trials = {trial.params[decay]: trial for trial in state_of(tmp_path).trials}
    assert trials[1e30].status == "diverged"
    assert "step" in trials[1e30].ended["cause"]
    assert trials[0.0].status == "done"


def test_a_total_limit_ends_the_asking_and_what_began_is_finished(write, tmp_path):
    search(write(limits={"tokens": 600}, trials=8), tmp_path)
    trials = state_of(tmp_path).trials
    assert [trial.status for trial in trials] == ["done", "done"]  # of 512 tokens each
    assert state_of(tmp_path).spent("tokens") == 1024


def test_matched_trials_cost_what_the_base_costs(write, tmp_path):
    space = {"variant.ffn": ["gelu", "swiglu"]}
    match = {"params": "3%", "by": "d_ff"}
    search(write(space=space, match=match, sampler="grid", trials=2), tmp_path)
    costs = [trial.asked["cost"]["params"] for trial in state_of(tmp_path).trials]
    assert max(costs) / min(costs) < 1.03
    matched = [trial.asked["matched"] for trial in state_of(tmp_path).trials]
    assert any(one["after"] > one["before"] for one in matched)


def test_winners_are_confirmed_on_fresh_seeds_beside_the_base(write, tmp_path):
    done = search(write(trials=3, confirm={"top": 2, "seeds": 2}), tmp_path)
    plan = ExperimentStore(tmp_path).plan("kv.confirm")
    best = sorted(done.state.done, key=lambda trial: trial.values["val_bpb"])[:2]
    assert plan["baseline"] == "base"
    assert set(plan["arms"]) == {"base", *(f"trial-{trial.number}" for trial in best)}
    assert min(plan["seeds"]) >= 2_000_000
    assert files_of(tmp_path).events()[-1]["trials"] == [trial.number for trial in best]
    assert done.verdict.comparison.contrasts


def test_optuna_opens_the_view_and_it_says_what_the_events_say(write, tmp_path):
    search(write(rungs=[0.5, 1], constraints={"params": 6750}, trials=8), tmp_path)
    files = files_of(tmp_path)
    url = f"sqlite:///{files.path / 'study.db'}"
    stored = optuna.load_study(study_name="kv", storage=url)
    again = as_study(files.read_definition(), files.events())
    for one in (stored, again):
        assert len(one.trials) == 8
        for trial, ours in zip(one.trials, state_of(tmp_path).trials, strict=True):
            assert trial.params == ours.params
            assert trial.user_attrs["status"] == ours.status
            assert trial.user_attrs["run_id"] == ours.run_id
            feasible = all(value <= 0 for value in trial.constraints.values())
            assert feasible == (ours.status != "infeasible")
            if ours.status == "done":
                assert trial.value == ours.values["val_bpb"]
        best = min(t.values["val_bpb"] for t in state_of(tmp_path).done)
        assert one.best_value == best
        assert math.isfinite(best)
