"""Each arm is given the same choice of a setting, on seeds of its own, and reported fairly."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from lab import ablate, experiment, in_new_process, write_corpus, write_yaml

from harness.data.config import DataConfig
from harness.data.text import kept
from harness.errors import ConfigError
from harness.experiments.planning.loading import load_experiment
from harness.experiments.question.resolve import resolve
from harness.experiments.showing.find_run import find_run
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore

KEY = "train.optimizer.lr"
GRID = [0.05, 0.1, 0.2, 0.4]


def tuned(corpus, *, lr=0.2, seeds=4, tune=None, **changes):
    """Two arms of seconds, whose best learning rate lies within the first grid."""
    data = experiment(corpus, seeds=seeds, tune={KEY: {}} if tune is None else tune, **changes)
    data["base"]["train"]["optimizer"] = {"name": "adamw", "lr": lr}
    return data


def done(folder, data):
    """Run an experiment in a new process; return how that ended, its plan and its runs."""
    file, results = write_yaml(folder / "x.yaml", data), folder / "results"
    ended = ablate("run", file, "--inline", results=results)
    assert ended.code == 0, ended.err
    stored = results / "experiments" / data["name"]
    return ended, json.loads((stored / "plan.json").read_text()), table_of(stored)


def table_of(stored):
    return pd.read_parquet(stored / "runs.parquet")


class Whole(tuple):
    """How an experiment ended, its plan and its runs; and where that is."""

    folder: Path


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """An experiment that has gone through all of its stages."""
    folder = tmp_path_factory.mktemp("whole")
    found = Whole(done(folder, tuned(corpus)))
    found.folder = folder
    return found


def test_every_arm_has_the_same_number_of_trials(whole):
    _, plan, runs = whole
    trials = runs[(runs["purpose"] == "tuning") & (runs["trial"] < 4)]
    assert trials.groupby("arm").size().to_dict() == {"gelu": 8, "swiglu": 8}
    for arm in plan["arms"].values():
        assert arm["tuning"]["tried"][:4] == GRID
        assert arm["tuning"]["trials_spent"] == 2 * len(arm["tuning"]["tried"])


def test_trials_and_the_report_share_no_seed(whole):
    _, plan, runs = whole
    by_purpose = runs.groupby("purpose")["seed"].unique()
    assert sorted(by_purpose["tuning"]) == [1_000_000, 1_000_001] == plan["tune"]["seeds"]
    assert sorted(by_purpose["report"]) == [0, 1, 2, 3] == plan["seeds"]


def test_the_best_mean_over_the_tuning_seeds_is_chosen(whole):
    _, plan, runs = whole
    trials = runs[runs["purpose"] == "tuning"]
    for name, arm in plan["arms"].items():
        means = trials[trials["arm"] == name].groupby("setting")["val_bpb"].mean()
        assert arm["tuning"]["chosen"] == means.idxmin()


def test_the_report_is_half_a_step_around_the_optimum(whole):
    _, plan, runs = whole
    report = runs[runs["purpose"] == "report"]
    for name, arm in plan["arms"].items():
        best, at = arm["tuning"]["chosen"], arm["tuning"]["report"]
        assert best in at and len(at) >= 3
        assert [b / a for a, b in pairwise(at)] == pytest.approx([2**0.5] * (len(at) - 1), rel=0.01)
        per_seed = report[report["arm"] == name].groupby("seed")["setting"].apply(sorted)
        assert all(settings == at for settings in per_seed)


def test_tuning_never_sees_the_documents_of_the_report(whole):
    _, plan, runs = whole
    assert plan["metric"] == "report/val_bpb" and plan["tune"]["metric"] == "val_bpb"
    assert plan["arms"]["gelu"]["data"]["report_documents"] == 4  # as many as are held out
    scored = runs.groupby("purpose")["report/val_bpb"].count()
    assert scored["tuning"] == 0 and scored["report"] == (runs["purpose"] == "report").sum()


def test_tuned_arms_are_paired_by_seed_and_the_sentence_says_how_they_were_tuned(whole):
    ended, _, _ = whole
    said = " ".join(ended.out.split())
    assert "each at the minimum of a parabola through three learning rates around the" in said
    assert "(chosen on 2 other seeds)" in said
    assert "the schedule of the learning rate held equal" in said
    assert "optimizer.lr" not in said  # it was tuned for both: no difference to complain about
    assert "gelu - swiglu" in said and " 4 " in said


def test_what_tuning_has_cost_is_told(whole):
    ended, _, runs = whole
    n_trials = (runs["purpose"] == "tuning").sum()
    assert f"tuning took {n_trials} runs (" in " ".join(ended.out.split())


def test_progress_names_the_setting_and_the_purpose(whole):
    ended, _, _ = whole
    assert "done     gelu lr=0.05 seed 1000000 (tuning)" in ended.out
    assert "done     gelu lr=0.2 seed 0 " in ended.out


def test_curves_are_those_of_the_chosen_setting(whole):
    _, plan, runs = whole
    curves = pd.read_parquet(whole.folder / "results/experiments/small/curves.parquet")
    chosen = {name: arm["tuning"]["chosen"] for name, arm in plan["arms"].items()}
    report = runs[runs["purpose"] == "report"]
    expected = report[report["setting"] == report["arm"].map(chosen)]["run_id"]
    assert set(curves["run_id"]) == set(expected)


def test_a_run_that_is_named_by_arm_and_seed_is_that_of_the_chosen_setting(whole):
    _, plan, runs = whole
    results = whole.folder / "results"
    found = find_run("small/gelu/2", RunStore(results), ExperimentStore(results))
    chosen = plan["arms"]["gelu"]["tuning"]["chosen"]
    row = runs[(runs["arm"] == "gelu") & (runs["seed"] == 2) & (runs["setting"] == chosen)]
    assert [found.run_id] == row["run_id"].tolist()
    trial = find_run("small/gelu/1000000", RunStore(results), ExperimentStore(results))
    assert trial.run_id in set(runs[runs["purpose"] == "tuning"]["run_id"])


def test_the_list_of_runs_tells_trials_and_settings_apart(whole):
    out = ablate("results", "small", results=whole.folder / "results").out
    rows = [line.split() for line in out.splitlines() if "gelu" in line]
    assert ["gelu", "tuning", "0.05", "1000000", "done"] in [row[:5] for row in rows]
    assert ["gelu", "report", "0.2", "3", "done"] in [row[:5] for row in rows]


def test_nothing_is_trained_twice_and_a_second_run_changes_nothing(whole, corpus, tmp_path):
    _, plan, runs = whole
    shutil.copytree(whole.folder, tmp_path, dirs_exist_ok=True)
    again, plan_again, runs_again = done(tmp_path, tuned(corpus))
    assert "training 0" in again.out
    assert plan_again["arms"] == plan["arms"] and plan_again["stamped"] == plan["stamped"]
    assert runs_again["run_id"].tolist() == runs["run_id"].tolist()
    assert (runs_again["attempt"] == 1).all()


def test_a_trial_is_an_ordinary_run_of_its_configuration(corpus, tmp_path, plan):
    by_hand = tuned(corpus, lr=0.1, seeds=[1_000_000, 1_000_001], tune={})
    del by_hand["tune"]
    by_hand["base"]["data"]["report_documents"] = 4
    trials = [run for run in plan(tuned(corpus)).runs if run.wanted.setting == {KEY: 0.1}]
    ids = {run.run_id for run in plan(by_hand).runs}
    assert {run.run_id for run in trials} == ids


def test_a_grid_has_round_values(corpus, plan):
    planned = plan(tuned(corpus, lr=4e-3))
    settings = {run.wanted.setting[KEY] for run in planned.runs}
    assert settings == {1e-3, 2e-3, 4e-3, 8e-3}


def test_a_plan_foresees_the_report(corpus, plan):
    planned = plan(tuned(corpus))
    assert len(planned.runs) == 2 * 4 * 2 and {run.wanted.purpose for run in planned.runs} == {
        "tuning"
    }
    assert len(planned.expected) == 2 * 4 * 3


TOO_SMALL = {
    "gelu": {"variant": {"ffn": "gelu"}, "train": {"optimizer": {"lr": 0.02}}},
    "swiglu": {},
}


def test_a_rate_ten_times_too_small_is_refused_at_the_edge(corpus, tmp_path):
    data = tuned(corpus, arms=TOO_SMALL, tune={KEY: {"extend": 0}, "seeds": 1})
    ended, plan, _ = done(tmp_path, data)
    assert plan["arms"]["gelu"]["tuning"]["at_edge"]
    said = " ".join(ended.out.split())
    assert "gelu against swiglu is refused: gelu is at the edge of its tuning grid (0.04," in said
    assert "the largest of 4 tried" in said
    assert "is worse than" not in said and "is better than" not in said


def test_a_rate_ten_times_too_small_is_found_by_extending(corpus, tmp_path):
    tune = {KEY: {}, "seeds": 1, "protocol": "best"}
    _, plan, runs = done(tmp_path, tuned(corpus, arms=TOO_SMALL, tune=tune))
    tuning = plan["arms"]["gelu"]["tuning"]
    assert not tuning["at_edge"] and tuning["tried"][:5] == [0.005, 0.01, 0.02, 0.04, 0.08]
    assert tuning["chosen"] >= 0.08
    of_gelu = runs[(runs["arm"] == "gelu") & (runs["purpose"] == "tuning")]
    assert of_gelu["trial"].tolist() == list(range(len(tuning["tried"])))
    assert of_gelu["setting"].tolist() == tuning["tried"]


def test_a_poisoned_report_changes_no_choice(whole, tmp_path, tmp_path_factory):
    """The documents of the report become noise, all others stay as they are."""
    folder = write_corpus(tmp_path / "corpus")
    config = DataConfig.read(tuned(folder)["base"]["data"])
    config = config.model_copy(update={"report_documents": 4})
    parts = parts_of(config)
    files = {name: (folder / f"{name}.txt") for name in parts}
    texts = {name: file.read_text() for name, file in files.items()}
    for name in [name for name, part in parts.items() if part == "report"]:
        for n in range(10_000):  # which part a text is of depends on what it says
            noise = "".join(chr(33 + (n + 7 * i * i) % 90) for i in range(len(texts[name])))
            files[name].write_text(noise)
            if parts_of(config) == parts:
                break
        else:
            raise AssertionError(name)
    _, plan, runs = done(tmp_path, tuned(folder))
    _, clean_plan, clean = whole
    poisoned, before = (t.groupby("purpose")["report/val_bpb"].mean() for t in (runs, clean))
    assert poisoned["report"] > before["report"] + 0.5
    for name, arm in plan["arms"].items():
        for key in ("tried", "chosen", "at_edge"):
            assert arm["tuning"][key] == clean_plan["arms"][name]["tuning"][key]
    trials, trials_before = (
        t[t["purpose"] == "tuning"].set_index(["arm", "setting", "seed"])["val_bpb"]
        for t in (runs, clean)
    )
    pd.testing.assert_series_equal(trials.sort_index(), trials_before.sort_index())


def parts_of(config):
    """Return of which part each document is: trained on, held out, or of the report."""
    entries = [entry for entry, _ in config.documents()]
    parts = kept(config, entries)
    return {
        entry.id.removesuffix(".txt"): next(
            (part for part, digests in parts.items() if entry.digest in digests), "trained"
        )
        for entry in entries
    }


def test_a_command_that_is_killed_between_stages_goes_on(whole, corpus, tmp_path):
    data = tuned(corpus)
    file, results = write_yaml(tmp_path / "x.yaml", data), tmp_path / "results"
    for n_runs in (5, 20):  # within the first stage, within the second one
        with pytest.raises(RuntimeError, match="exit code -9"):
            in_new_process(killed_after, str(file), str(results), n_runs)
    ended, plan, runs = done(tmp_path, data)
    assert "already in the store" in ended.out
    assert plan["arms"] == whole[1]["arms"]
    shown = ["arm", "seed", "setting", "purpose", "run_id", "val_bpb", "report/val_bpb"]
    pd.testing.assert_frame_equal(runs[shown], whole[2][shown])


def killed_after(file, results, n_runs):
    """Run an experiment, and die when so many of its runs are done."""
    import io
    import os
    import signal
    from pathlib import Path

    from rich.console import Console

    from harness.experiments.running.run import HowToRun, run_experiment
    from harness.store.experiments import ExperimentStore
    from harness.store.runs import RunStore

    class Counting(Console):
        left = n_runs

        def print(self, *words, **options):
            self.left -= str(words[0]).startswith("done") if words else 0
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    store = Path(results)
    run_experiment(
        load_experiment(Path(file)),
        RunStore(store),
        ExperimentStore(store),
        HowToRun(inline=True),
        Counting(file=io.StringIO()),
    )


def test_the_best_alone_is_cheaper_and_says_what_that_costs(corpus, tmp_path):
    ended, plan, runs = done(tmp_path, tuned(corpus, tune={KEY: {}, "protocol": "best"}))
    report = runs[runs["purpose"] == "report"]
    assert len(report) == 2 * 4
    assert all(
        arm["tuning"]["report"] == [arm["tuning"]["chosen"]] for arm in plan["arms"].values()
    )
    said = " ".join(ended.out.split())
    assert "learning rates (chosen on 2 other seeds), whose error all seeds of an arm share" in said


def test_a_space_gives_all_arms_the_same_draws(corpus, tmp_path):
    space = {
        KEY: {"low": 0.05, "high": 0.5, "log": True},
        "train.optimizer.weight_decay": {"low": 0.0, "high": 0.3},
    }
    data = tuned(corpus, tune={"space": space, "trials": 3, "seeds": 1}, seeds=4)
    ended, plan, runs = done(tmp_path, data)
    tried = [arm["tuning"]["tried"] for arm in plan["arms"].values()]
    assert tried[0] == tried[1] and len(tried[0]) == 3
    for setting in tried[0]:
        assert 0.05 <= setting[KEY] <= 0.5
        assert 0.0 <= setting["train.optimizer.weight_decay"] <= 0.3
    assert len({setting[KEY] for setting in tried[0]}) == 3
    assert (runs["purpose"] == "report").sum() == 2 * 4
    assert (
        "each at the best of 3 draws of learning rate and optimizer.weight_decay (chosen on 1"
        in (" ".join(ended.out.split()))
    )


def test_a_setting_that_diverges_is_the_worst_and_no_failure(corpus, tmp_path):
    tune = {KEY: {"factor": 10}, "seeds": 1, "protocol": "best"}
    data = tuned(corpus, tune=tune)
    data["base"]["train"] |= {"optimizer": {"name": "sgd", "lr": 1.0}, "grad_clip": 1e30}
    data["base"]["train"]["budget"] = {"steps": 12}
    ended, plan, runs = done(tmp_path, data)
    diverged = runs[runs["status"] == "diverged"]
    assert set(diverged["setting"]) == {10.0} and set(diverged["purpose"]) == {"tuning"}
    assert [arm["tuning"]["chosen"] for arm in plan["arms"].values()] == [0.1, 0.1]
    assert "2 of the tuning runs diverged" in " ".join(ended.out.split())
    again, _, _ = done(tmp_path, data)
    assert "training 0" in again.out


MISTAKES = {
    "no such setting": ({"train.optimizer.lrr": {}}, "lrr", "Did you mean 'lr'"),
    "not a part of training": ({"variant.d_ff": {}}, "unknown key 'variant.d_ff'"),
    "a whole number": ({"train.batch_size": {}}, "must be a real number to be tuned"),
    "the budget": ({"train.budget.tokens": {}}, "cannot be tuned"),
    "two grids": ({KEY: {}, "train.grad_clip": {}}, "must name one setting"),
    "few points": ({KEY: {"points": 3}}, "greater than or equal to 4"),
    "no ratio": ({KEY: {"factor": 1}}, "greater than 1"),
    "zero": ({"train.optimizer.weight_decay": {}}, "needs a value above 0"),
    "out of bounds": ({KEY: {"factor": 1000}}, "less than or equal to 100"),
    "trials of a grid": ({KEY: {}, "trials": 4}, "goes with `space`"),
    "a fit of a space": (
        {"space": {KEY: {"low": 0.1, "high": 0.2}}, "trials": 3, "protocol": "fitted"},
        "must be `best`",
    ),
    "no trials": ({"space": {KEY: {"low": 0.1, "high": 0.2}}}, "this key is required"),
    "an empty range": (
        {"space": {KEY: {"low": 0.2, "high": 0.1}}, "trials": 3},
        "`low` below `high`",
    ),
    "no logarithm": (
        {"space": {KEY: {"low": 0.0, "high": 0.1, "log": True}}, "trials": 3},
        "above 0",
    ),
}


@pytest.mark.parametrize(("tune", "words"), [(t, w) for t, *w in MISTAKES.values()], ids=MISTAKES)
def test_a_mistake_in_tune_is_told(corpus, tmp_path, tune, words):
    data = tuned(corpus, tune=tune)
    data["base"]["train"]["optimizer"]["weight_decay"] = 0.0
    with pytest.raises(ConfigError) as caught:
        resolve(data, tmp_path)
    assert all(problem.path[0] == "tune" for problem in caught.value.problems)
    for word in words:
        assert word in str(caught.value)


def test_a_seed_may_not_both_choose_and_report(corpus, tmp_path):
    with pytest.raises(ConfigError, match="seed 1000001 is one of those"):
        resolve(tuned(corpus, seeds=[0, 1_000_001]), tmp_path)


def test_a_metric_on_held_out_documents_is_read_on_those_of_the_report(corpus, tmp_path):
    resolved = resolve(tuned(corpus, analysis={"metric": "val_loss"}), tmp_path)
    assert resolved.experiment.analysis.metric == "report/val_loss"


def test_without_documents_to_keep_the_report_is_on_those_held_out(corpus, tmp_path):
    data = tuned(corpus)
    data["base"]["data"]["report_documents"] = 0
    resolved = resolve(data, tmp_path)
    assert resolved.experiment.analysis.metric == "val_bpb"
    assert not resolved.arms["gelu"].evaluate
