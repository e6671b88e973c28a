"""`evaluate`: finished runs are scored on more than training scores, and never trained for it."""

import json
import re

import pytest
import torch
from lab import ROOT, ablate, write_corpus, write_yaml

from harness.errors import ConfigError
from harness.experiments.planning.loading import load_experiment
from harness.experiments.running.complete import record_death
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_inline, run_workers
from harness.experiments.running.run_model import load_run_model
from harness.experiments.running.scoring import evaluator_on
from harness.store.records import Result
from harness.store.runs import RunStore
from harness.store.status import Status
from harness.store.tables import CURVE_COLUMNS, RUN_COLUMNS, collect

CPU = torch.device("cpu")
RECALL = {"name": "recall", "data": {"corpus": {"name": "copy", "n_tokens": 4}}}
LONG = {"name": "long", "seq_len": 64}
REPORT = {"name": "report", "data": {"held_out": "report"}}
QUALITY = ["val_loss", "val_bpb", "val_accuracy", "val_perplexity"]


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "results")


@pytest.fixture
def lines(tmp_path):
    """Return a set of lines that the runs are not trained on."""
    folder = write_corpus(tmp_path / "others", 9)
    for file in folder.iterdir():
        file.write_text(file.read_text().replace("document", "poem"))
    return {"name": "poems", "data": {"corpus": {"name": "local", "path": str(folder)}}}


@pytest.fixture
def data(small):
    def make(*sets, report=0, **changes):
        made = small(evaluate=list(sets), **{"seeds": 1, **changes})
        made["base"]["data"]["report_documents"] = report
        return made

    return make


@pytest.fixture
def run(plan, store, deterministic):
    """Do what a plan leaves to do; return its record, and how many runs it has trained."""

    def do(given, workers=0):
        planned = plan(given)
        work = (planned.pending, store, Execution(CPU))
        events = list(run_workers(*work, workers) if workers else run_inline(*work))
        assert [e.cause for e in events if e.cause] == []
        begun = [e for e in events if e.status is Status.RUNNING and e.heartbeat is None]
        return planned.record, sum(e.trains for e in begun)

    return do


def rows(planned, store):
    return collect(planned.record, store)[0].set_index(["arm", "seed"])


def the_attempt(planned, store, arm):
    (one,) = [r for r in planned.runs if r.arm == arm]
    return store.attempts(one.run_id)[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_every_run_is_scored_on_every_set(data, plan, run, store, lines, workers):
    given = data(REPORT, LONG, RECALL, lines, report=3)
    _, n_trained = run(given, workers)
    assert n_trained == 2
    table = rows(plan(given), store)
    for name in ("report", "long", "recall", "poems"):
        losses = table[f"{name}/val_loss"]
        assert losses.notna().all() and losses.nunique() == 2
        assert not (losses == table["val_loss"]).any()
    assert table["recall/val_bpb"].isna().all() and table["report/val_bpb"].notna().all()
    assert set(table["status"]) == {"done"} and table["cause"].isna().all()


def test_a_set_is_scored_as_the_final_weights_would_be(data, plan, run, store, lines):
    given = data(REPORT, LONG, lines, report=3)
    run(given)
    planned = plan(given)
    attempt = the_attempt(planned, store, "swiglu")
    model = load_run_model(attempt)
    (swiglu,) = [r for r in planned.runs if r.arm == "swiglu"]
    n_documents = {"report": 3, "long": 4, "poems": 4}
    for name, one in swiglu.scorings.items():
        held_out, separator = one.on.scored.load()
        found = evaluator_on(held_out, 64 if name == "long" else 32, CPU, separator)(model)
        measured = attempt.read_measurement(swiglu.measurements[name])
        assert measured.metrics.items() >= found.metrics().items()
        assert list(measured.documents) == [document.id for document in held_out]
        assert len(held_out) == n_documents[name]
        assert max(measured.loss_by_position) == (32 if name == "long" else 16)
    trained_on = attempt.read_result().documents
    report = attempt.read_measurement(swiglu.measurements["report"]).documents
    assert not report.keys() & trained_on.keys()


def test_a_set_that_is_added_later_trains_nothing_and_leaves_the_ids(data, plan, run, store):
    before = [r.run_id for r in plan(data()).runs]
    run(data())
    given = data(RECALL)
    planned = plan(given)
    assert [r.run_id for r in planned.runs] == before
    assert (planned.trainings, len(planned.pending)) == ([], 2)
    assert planned.work == "training 0, scoring 2 on recall"
    row = rows(planned, store).loc["swiglu", 0]
    assert (row["status"], row["cause"]) == ("done", "recall not yet scored")
    assert row["val_loss"] == row["val_loss"] and row["recall/val_loss"] != row["recall/val_loss"]
    _, n_trained = run(given)
    assert n_trained == 0
    assert plan(given).pending == [] and plan(given).work == "training 0"
    _, n_trained = run(data(RECALL, LONG))
    assert n_trained == 0
    assert len(the_attempt(planned, store, "swiglu").measurements()) == 2


def test_what_identifies_a_measurement_is_what_is_scored_and_not_its_name(data, plan, run):
    run(data(LONG, RECALL))
    assert plan(data({**LONG, "name": "longer"}, RECALL)).pending == []
    assert len(plan(data({**LONG, "seq_len": 48})).pending) == 2
    other = {"name": "recall", "data": {"corpus": {"name": "copy", "n_tokens": 5}}}
    assert len(plan(data(other)).pending) == 2


def test_a_measurement_says_what_was_scored(data, plan, run, store):
    given = data(RECALL)
    run(given)
    planned = plan(given)
    attempt = the_attempt(planned, store, "swiglu")
    (name,) = attempt.measurements()
    assert name.startswith("set-")
    content = json.loads((attempt.path / "measurements" / f"{name}.json").read_text())
    settings = content["settings"]
    assert settings["precision"] == {"name": "fp32"}
    assert settings["data"]["corpus"] == {"name": "copy", "n_tokens": 4, "n_symbols": 32}
    assert settings["on"] == {
        "content": planned.runs[0].scorings["recall"].content,
        "part": "held_out",
        "seq_len": 32,
    }


def test_sets_are_scored_in_the_precision_of_inference(data, plan, run, store):
    int8 = {"variant": {"precision": {"infer": "int8"}}}
    given = data(LONG, arms={"fp32": {}, "int8": int8}, baseline="fp32")
    planned = plan(given)
    assert planned.work == (
        "training 1, measuring the weights of 1 in another precision of inference, "
        "scoring 2 on long"
    )
    _, n_trained = run(given)
    assert n_trained == 1
    names = the_attempt(planned, store, "fp32").measurements()
    assert sorted(name.partition("-")[0] for name in names) == ["infer", "set", "set"]
    losses = rows(planned, store)["long/val_loss"]
    assert losses["fp32", 0] != losses["int8", 0]
    assert losses["fp32", 0] == pytest.approx(losses["int8", 0], abs=0.01)


def test_arms_that_share_a_training_share_its_scorings(data, run, plan, store):
    given = data(LONG, arms={"one": {}, "two": {}}, baseline="one")
    run(given)
    assert len(the_attempt(plan(given), store, "one").measurements()) == 1
    assert rows(plan(given), store)["long/val_loss"].nunique() == 1


def test_a_set_that_fails_is_told_and_tried_again(data, plan, run, store):
    run(data())
    given = data(LONG, RECALL)
    planned = plan(given)
    (swiglu,) = [r for r in planned.runs if r.arm == "swiglu"]
    record_death(swiglu, swiglu.done, "the worker was killed by SIGKILL")
    row = rows(planned, store).loc["swiglu", 0]
    assert row["status"] == "done" and row["val_loss"] == row["val_loss"]
    assert row["cause"] == (
        "long failed: the worker was killed by SIGKILL; "
        "recall failed: the worker was killed by SIGKILL"
    )
    run(given)
    assert rows(plan(given), store)["cause"].isna().all()


def test_damaged_weights_are_told_with_the_name_of_the_set(data, plan, run, store):
    run(data())
    attempt = the_attempt(plan(data()), store, "swiglu")
    attempt.weights.write_bytes(b"x" + attempt.weights.read_bytes())
    events = list(run_inline(plan(data(LONG)).pending, store, Execution(CPU)))
    (failed,) = [e for e in events if e.cause]
    assert failed.status is Status.FAILED and failed.run.arm == "swiglu"
    assert failed.cause.startswith("long: ") and "corrupt" in failed.cause


def refused(plan, given):
    with pytest.raises(ConfigError) as found:
        plan(given)
    (problem,) = found.value.problems
    return ".".join(map(str, problem.path)), problem.message


@pytest.mark.parametrize(
    ("item", "path", "message"),
    [
        ({"seq_len": 64}, "name", "this key is required"),
        ({"name": "a/b", "seq_len": 64}, "name", "must be letters, digits"),
        ({"name": "held_out", "seq_len": 64}, "name", "and not 'held_out'"),
        ({"name": "x", "sequence": 64}, "sequence", "unknown key 'sequence'. Did you mean 'seq"),
        ({"name": "x", "seq_len": 65}, "seq_len", "max_seq_len (64), but got 65"),
        (5, "", "must be a mapping"),
        ({"name": "x", "data": {"corpus": "coppy"}}, "data.corpus", "Did you mean 'copy'"),
        ({"name": "x", "data": {"tokenizer": "bpe"}}, "data.tokenizer", "is that of the run"),
        ({"name": "x", "data": {"held_out": "all"}}, "data.held_out", "must be `report`, alone"),
        (REPORT, "data.held_out", "no documents were kept for a report"),
        (
            {"name": "x", "data": {"corpus": {"name": "copy", "n_symbols": 257}}},
            "data",
            "its 258 ids do not fit into the variant's vocab_size (257)",
        ),
        ({"name": "x", "data": {"corpus": "copy"}, "seq_len": 31}, "seq_len", "must be 32 or more"),
        ({"name": "x", "data": {"held_out_documents": 6}}, "data", "2 of the 6 documents that"),
    ],
)
def test_a_set_that_does_not_go_with_the_runs_is_refused_before_training(
    data, plan, item, path, message
):
    where, said = refused(plan, data(item))
    assert where == f"evaluate.0.{path}".rstrip(".")
    assert message in said


def test_two_sets_of_one_name_are_refused(data, plan):
    assert refused(plan, data(LONG, LONG)) == ("evaluate.1.name", "two sets have this name")


def test_options_of_the_runs_corpus_can_be_changed(data, plan):
    corpus = {"name": "associative_recall", "n_keys": 16, "n_values": 16}
    given = data({"name": "more", "data": {"corpus": {"n_pairs": 16}}, "seq_len": 64})
    given["base"]["data"], given["analysis"] = {"corpus": corpus}, {"metric": "val_accuracy"}
    given["base"]["train"]["seq_len"] = 31
    for one in plan(given).runs:
        options = one.scorings["more"].on.scored.data.corpus.options
        assert (options["n_pairs"], options["n_keys"]) == (16, 16)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("recal/val_loss", "Did you mean 'recall/val_loss'"),
        ("recall/val_bpb", "'recall' is no text of known size; choose recall/val_accuracy"),
    ],
)
def test_a_metric_must_be_one_of_a_set(data, plan, metric, message):
    where, said = refused(plan, data(RECALL, analysis={"metric": metric}))
    assert where == "analysis.metric" and message in said


def test_a_verdict_may_be_on_the_metric_of_a_set(data, tmp_path):
    given = data(RECALL, analysis={"metric": "recall/val_accuracy"}, seeds=4)
    file, results = write_yaml(tmp_path / "x.yaml", given), tmp_path / "results"
    ended = ablate("run", file, "--inline", results=results)
    assert ended.code == 0, ended.out + ended.err
    assert "training 8, scoring 8 on recall, in this process" in " ".join(ended.out.split())
    compared = ablate("compare", "small", "--json", results=results).json
    assert compared["metric"] == "recall/val_accuracy"
    (contrast,) = compared["contrasts"]
    assert contrast["n"] == 4 and contrast["reason"] is None
    ((metric, arms),) = compared["evaluations"].items()
    assert metric == "recall/val_accuracy" and list(arms) == ["gelu", "swiglu"]
    assert [arm["mean"] for arm in compared["arms"]] == [arm["mean"] for arm in arms.values()]
    assert "recall/val_accuracy" in ablate("compare", "small", results=results).out
    listed = ablate("results", "small", "--json", results=results).json
    assert {0 <= row["recall/val_accuracy"] <= 1 for row in listed} == {True}
    again = ablate("run", file, "--inline", results=results)
    assert "8 of them already in the store; training 0, in" in " ".join(again.out.split())


def test_a_mistake_in_a_set_is_told_with_its_line(data, tmp_path):
    file = write_yaml(tmp_path / "x.yaml", data(LONG, {"name": "more", "seq_len": 65}))
    ended = ablate("plan", file, results=tmp_path / "results")
    number = 1 + next(i for i, t in enumerate(file.read_text().splitlines()) if "65" in t)
    assert ended.code == 2
    assert f"x.yaml:{number}:" in ended.err and "evaluate.1.seq_len: must not exceed" in ended.err
    assert ended.err.count("must not exceed") == 1  # though every arm has it


def test_the_example_of_the_documentation_is_read_as_it_says(tmp_path):
    text = (ROOT / "docs/measurements.md").read_text()
    file = tmp_path / "report.yaml"
    file.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    arm = load_experiment(file).resolved.arms["rope"]
    report, long, recall = arm.evaluate
    assert (report.scored.part, report.metric) == ("report", "val_bpb")
    assert (long.seq_len, long.scored.data) == (256, arm.data)
    assert (recall.scored.data.corpus.options["n_pairs"], recall.metric) == (4, "val_accuracy")
    told = set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))
    known = {*CURVE_COLUMNS, *RUN_COLUMNS, *Result.model_fields, "activation_rms_max"}
    assert told and told <= known
