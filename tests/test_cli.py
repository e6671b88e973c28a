"""The commands: from a file to a verdict, to tables that stand alone, to a clean disk."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from lab import ROOT, ablate, attempts, experiment, files, write_corpus, write_yaml

SLOTS = ["embedding", "position", "norm", "attention", "ffn", "block", "objective", "precision"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run the small experiment once; nobody may change what it leaves."""
    folder = tmp_path_factory.mktemp("finished")
    corpus = write_corpus(folder / "corpus")
    file = write_yaml(folder / "small.yaml", experiment(corpus, seeds=3))
    ended = ablate("run", file, "--inline", results=folder / "results")
    assert ended.code == 0, ended.err
    return folder, ended


@pytest.fixture
def results(finished, tmp_path):
    """Return a copy of the finished results that may be changed."""
    return Path(shutil.copytree(finished[0] / "results", tmp_path / "results"))


def test_run_prints_the_verdicts(finished):
    _, ended = finished
    assert "6 runs; training 6, in this process, on cpu" in ended.out
    assert "held equal" in ended.out
    assert "gelu" in ended.out


def test_tables_hold_the_results_of_the_runs(results):
    runs = pd.read_parquet(results / "experiments/small/runs.parquet")
    curves = pd.read_parquet(results / "experiments/small/curves.parquet")
    assert len(runs) == 6
    for attempt in attempts(results):
        row = runs[runs["run_id"] == attempt.run_id].iloc[0]
        result = attempt.read_result()
        for key in ("val_bpb", "val_loss", "val_accuracy", "train_loss", "steps", "tokens"):
            assert row[key] == result.metrics[key], key
        assert row["params"] == result.cost["params"]
        points = curves[curves["run_id"] == attempt.run_id]
        assert list(points["step"]) == [p["step"] for p in attempt.read_curve()]
        nats = sum(nats for nats, _ in result.documents.values())
        n_bytes = sum(n for _, n in result.documents.values())
        assert result.metrics["val_bpb"] == pytest.approx(nats / n_bytes / math.log(2))
    summary = pd.read_csv(results / "experiments/small/summary.csv")
    assert set(summary["arm"]) == {"gelu", "swiglu"}


def test_compare_works_from_the_tables_alone(results):
    values = {}
    for attempt in attempts(results):
        config = attempt.read_run().config
        key = config["variant"]["ffn"]["name"], config["seed"]
        values[key] = attempt.read_result().metrics["val_bpb"]
    shutil.rmtree(results / "runs")
    ended = ablate("compare", "small", "--json", results=results)
    assert ended.code == 0, ended.err
    means = {arm["arm"]: arm["mean"] for arm in ended.json["arms"]}
    for arm in ("gelu", "swiglu"):
        assert means[arm] == pytest.approx(sum(values[arm, s] for s in range(3)) / 3)
    (contrast,) = ended.json["contrasts"]
    difference = sum(values["gelu", s] - values["swiglu", s] for s in range(3)) / 3
    assert contrast["difference"] == pytest.approx(difference)
    assert contrast["n"] == 3
    shown = ablate("compare", "small", results=results)
    assert contrast["sentence"].split()[0] in shown.out


def test_results_are_listed(results):
    (listed,) = ablate("results", "--json", results=results).json
    assert (listed["experiment"], listed["done"]) == ("small", "6/6")
    rows = ablate("results", "small", "--json", results=results).json
    by_id = {attempt.run_id: attempt.read_result() for attempt in attempts(results)}
    assert {row["run_id"] for row in rows} == by_id.keys()
    for row in rows:
        assert row["val_bpb"] == by_id[row["run_id"]].metrics["val_bpb"]
    assert "small" in ablate("results", results=results).out


def test_an_empty_store_says_what_to_do(tmp_path):
    ended = ablate("results", results=tmp_path / "nothing")
    assert ended.code == 0
    assert "ablate run experiments/ablations/quickstart.yaml" in ended.out
    assert ablate("results", "--json", results=tmp_path / "nothing").json == []
    assert not files(tmp_path)


def test_clean_removes_what_answers_for_nothing_and_only_when_told_to(results):
    failed, stopped, *done = attempts(results)
    (stopped.path / "result.json").unlink()
    written = json.loads((failed.path / "result.json").read_text())
    (failed.path / "result.json").write_text(json.dumps({**written, "status": "failed"}))
    before = files(results)
    shown = ablate("clean", results=results)
    assert shown.code == 0
    assert "nothing was removed: add --yes" in shown.out
    assert files(results) == before
    assert ablate("clean", "--yes", results=results).code == 0
    assert [a.path for a in attempts(results)] == [a.path for a in done]
    assert "nothing to remove" in ablate("clean", "--yes", "--orphans", results=results).out


def test_orphans_are_removed_only_when_asked_for(results):
    shutil.rmtree(results / "experiments")
    assert "nothing to remove" in ablate("clean", "--yes", results=results).out
    assert len(attempts(results)) == 6
    ablate("clean", "--orphans", "--yes", results=results)
    assert attempts(results) == []


def test_a_new_experiment_can_be_planned(tmp_path):
    ended = ablate("new", "experiment", "mine", "--folder", tmp_path / "e", results=tmp_path / "r")
    assert ended.code == 0, ended.err
    file = tmp_path / "e" / "mine.yaml"
    assert ended.out.split() == [str(file), "ablate", "plan", str(file)]
    planned = ablate("plan", file, "train.budget.tokens=10k", "--json", results=tmp_path / "r")
    assert planned.code == 0, planned.err
    assert list(planned.json["arms"]) == ["gqa", "mqa"]
    again = ablate("new", "experiment", "mine", "--folder", tmp_path / "e", results=tmp_path / "r")
    assert again.code == 2
    assert "exists already; it is left as it is" in again.err


@pytest.mark.parametrize("slot", SLOTS)
def test_a_new_component_computes_what_its_slots_baseline_does(tmp_path, slot):
    given = ["new", "component", f"{slot}/my_idea", "--folder", tmp_path]
    ended = ablate(*given, results=tmp_path / "r")
    assert ended.code == 0, ended.err
    assert files(tmp_path) == [f"{slot}/my_idea.py"]
    listed = ablate("components", slot, "--folder", tmp_path, "--json", results=tmp_path / "r")
    assert listed.code == 0, listed.err
    entries = {entry["name"]: entry for entry in listed.json}
    assert "broken" not in entries["my_idea"], entries["my_idea"]
    assert entries["my_idea"]["aliases"] == []
    baseline = BASELINES[slot]
    assert entries["my_idea"]["options"] == entries[baseline]["options"]
    assert entries["my_idea"]["cost"] == entries[baseline]["cost"]
    unlike_ours = ["--ignore", "D102", tmp_path]  # in variants/ a slot says what `forward` does
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", ROOT / "pyproject.toml", *unlike_ours],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


BASELINES = {
    "embedding": "token",
    "position": "rope",
    "norm": "rms_norm",
    "attention": "gqa",
    "ffn": "swiglu",
    "block": "pre_norm",
    "objective": "next_token",
    "precision": "fp32",
}


def test_components_are_listed_by_slot(tmp_path):
    listed = ablate("components", "--json", results=tmp_path).json
    assert {entry["slot"] for entry in listed} == set(SLOTS)
    gqa = next(e for e in listed if (e["slot"], e["name"]) == ("attention", "gqa"))
    assert gqa["aliases"] == ["mha", "mqa", "sliding_window"]
    assert ablate("components", "norm", "--json", results=tmp_path).json == [
        entry for entry in listed if entry["slot"] == "norm"
    ]
    shown = ablate("components", results=tmp_path)
    assert all(entry["name"] in shown.out for entry in listed)
    assert "  gqa (also mha, mqa, sliding_window) " in shown.out
    assert "870k parameters, 6.78M FLOPs/token, cache 262 kB" in shown.out
    assert "A known fault: The angle is the head's index" in shown.out


def test_components_of_one_slot_tell_what_options_mean_and_where_they_come_from(tmp_path):
    shown = " ".join(ablate("components", "attention", results=tmp_path).out.split())
    assert "window=null A token sees this many of the latest tokens, itself included" in shown
    assert "bias=false Whether all projections have biases." in shown
    assert "Source: Ainslie et al. 2023" in shown
    assert "window=null" in (every := ablate("components", results=tmp_path).out)
    assert "Source:" not in every and "A token sees this many" not in every


def test_cost_prices_a_change(tmp_path):
    tiny, mqa, theta = (
        ablate("cost", *changes, "--json", results=tmp_path).json
        for changes in ([], ["attention=mqa"], ["position.theta=500"])
    )
    assert mqa["cache_bytes"] * 2 == tiny["cache_bytes"]
    assert mqa["params"] < tiny["params"] == theta["params"]
    assert theta["variant"]["position"]["theta"] == 500


def test_a_price_tells_what_a_token_meets_and_what_the_weights_take(tmp_path):
    mixture = "ffn={name: moe, n_experts: 8, top_k: 2}"
    moe, int8, plain = (
        " ".join(ablate("cost", *changes, results=tmp_path).out.split())
        for changes in ([mixture], ["precision.infer=int8_channel"], [])
    )
    assert "that a token meets 1.41M" in moe and "a token meets" not in plain
    assert "weights (fp32) 3.48 MB" in plain and "weights (int8_channel) 898 kB" in int8


def test_the_folder_of_results_is_an_option_and_a_variable(finished, tmp_path):
    root = finished[0] / "results"
    by_variable = ablate("results", "--json", results=root).json
    by_option = ablate("results", "--json", "--results", root, results=tmp_path / "other").json
    assert by_variable == by_option != []


@pytest.mark.parametrize("name", ["../small", "a/b", "", "."])
def test_a_name_is_never_a_path(finished, name):
    ended = ablate("compare", name, results=finished[0] / "results")
    assert ended.code == 2
    assert "unknown experiment" in ended.err
