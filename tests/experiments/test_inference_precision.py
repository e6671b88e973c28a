"""Arms that differ in the precision of inference share their trainings and are measured apart."""

import json

import pytest
import torch
from lab import ablate, attempts, write_yaml

from harness.experiments.planning import final_scoring
from harness.experiments.planning.estimate import estimate_seconds
from harness.experiments.running import measure
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_inline, run_workers
from harness.experiments.running.run_model import load_run_model
from harness.experiments.running.scoring import evaluator_of
from harness.experiments.running.tables import refresh_tables
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore
from harness.store.status import Status
from harness.store.tables import collect

CPU = torch.device("cpu")


def infer(name, **options):
    return {"variant": {"precision": {"infer": {"name": name, **options}}}}


ARMS = {"fp32": {}, "int8": infer("int8"), "int8_dynamic": infer("int8_dynamic")}
QAT = {"variant": {"precision": {"train": "int8_qat", "infer": "int8"}}}
LATENT = {"variant": {"precision": {"train": "int8_qat", "infer": "fp32"}}}
LEARNS = {"budget": {"steps": 60}, "batch_size": 2, "seq_len": 32, "evaluations": 2}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "results")


@pytest.fixture
def precisions(small):
    """Return an experiment on precisions of inference, with changes to its keys."""

    def make(arms=ARMS, train=None, **changes):
        data = small(**{"arms": arms, "baseline": next(iter(arms)), "seeds": 1, **changes})
        data["base"]["train"] = train or data["base"]["train"]
        return data

    return make


@pytest.fixture
def run(plan, store, deterministic):
    """Do what a plan leaves to do and return the ends of its runs, and how many it trained."""

    def do(data, workers=0):
        planned = plan(data)
        events = list(
            run_workers(planned.pending, store, Execution(CPU), workers)
            if workers
            else run_inline(planned.pending, store, Execution(CPU))
        )
        begun = [e for e in events if e.status is Status.RUNNING and e.heartbeat is None]
        ended = [e for e in events if e.status is not Status.RUNNING]
        assert [e.run for e in ended] and len(ended) == len(planned.pending)
        return {e.run.arm: e for e in ended}, sum(e.trains for e in begun)

    return do


def rows(planned, store):
    return collect(planned.record, store)[0].set_index(["arm", "seed"])


def all_attempts(store):
    return [attempt for run_id in store.runs() for attempt in store.attempts(run_id)]


@pytest.mark.parametrize("workers", [0, 2])
def test_arms_share_one_training_and_each_has_its_own_numbers(
    precisions, plan, run, store, workers
):
    data = precisions(train=LEARNS)
    planned = plan(data)
    assert len({r.run_id for r in planned.runs}) == 1
    assert (len(planned.trainings), len(planned.measurements)) == (1, 2)
    ended, n_trained = run(data, workers)
    assert {e.cause for e in ended.values()} == {None}
    assert n_trained == 1
    (attempt,) = all_attempts(store)
    assert len(attempt.measurements()) == 2
    table = rows(planned, store)["val_loss"]
    losses = {arm: table[arm, 0] for arm in ARMS}
    assert losses["fp32"] == attempt.read_result().metrics["val_loss"]
    assert len(set(losses.values())) == 3
    assert all(abs(losses[arm] - losses["fp32"]) < 0.01 for arm in ARMS)


def test_a_measurement_scores_the_documents_that_training_held_out(precisions, run, store):
    run(precisions())
    (attempt,) = all_attempts(store)
    result = attempt.read_result()
    for name in attempt.measurements():
        measured = attempt.read_measurement(name)
        assert measured.documents.keys() == result.documents.keys()
        n_bytes = {document: n for document, (_, n) in measured.documents.items()}
        assert n_bytes == {document: n for document, (_, n) in result.documents.items()}
        assert measured.documents != result.documents
        kinds = ("val_", "activation_")
        assert measured.metrics.keys() == {key for key in result.metrics if key.startswith(kinds)}
        assert measured.environment == attempt.read_run().environment


def test_doing_it_again_does_nothing(precisions, plan, run):
    data = precisions()
    run(data)
    again = plan(data)
    assert again.pending == again.trainings == again.measurements == []
    assert estimate_seconds(again) == 0.0


def test_a_lost_measurement_is_made_again_and_nothing_is_trained(precisions, plan, run, store):
    data = precisions()
    run(data)
    before = rows(plan(data), store)
    (attempt,) = all_attempts(store)
    lost = plan(data).runs[1].measured["held_out"]
    (attempt.path / "measurements" / f"{lost}.json").unlink()
    planned = plan(data)
    assert [r.arm for r in planned.pending] == ["int8"]
    assert planned.trainings == []
    assert (
        planned.work == "training 0, measuring the weights of 1 in another precision of inference"
    )
    row = rows(planned, store).loc["int8", 0]
    assert (row["status"], row["cause"]) == ("queued", "trained, and not yet measured")
    assert row["val_loss"] != row["val_loss"]  # not the training's
    assert row["steps"] == 4
    _, n_trained = run(data)
    assert n_trained == 0
    assert rows(plan(data), store).equals(before)


def test_an_arm_that_is_added_later_uses_the_weights_that_are_there(precisions, plan, run, store):
    run(precisions(arms={"fp32": {}}))
    _, n_trained = run(precisions())
    assert n_trained == 0
    assert len(all_attempts(store)) == 1


def test_without_weights_a_run_is_trained_again_and_that_is_said(precisions, plan, run, store):
    run(precisions(arms={"fp32": {}}))
    (attempt,) = all_attempts(store)
    attempt.weights.unlink()
    assert plan(precisions(arms={"fp32": {}})).pending == []  # its own evaluation needs none
    planned = plan(precisions())
    assert planned.work.startswith("training 1 (1 again, because the weights to be measured were")
    assert [r.done for r in planned.runs] == [None] * 3  # arms are compared on one training
    run(precisions())
    assert len(all_attempts(store)) == 2
    again = plan(precisions())
    assert again.pending == []
    assert {r.done.number for r in again.runs} == {2}


def test_weights_that_are_damaged_are_not_measured(precisions, plan, run, store):
    run(precisions(arms={"fp32": {}}))
    (attempt,) = all_attempts(store)
    weights = bytearray(attempt.weights.read_bytes())
    weights[-1] ^= 1
    attempt.weights.write_bytes(weights)
    ended, _ = run(precisions())
    assert ended["int8"].status is Status.FAILED
    assert "weights.safetensors: corrupt: not what the run has written; remove this file" in (
        ended["int8"].cause
    )
    row = rows(plan(precisions()), store).loc["int8", 0]
    assert (row["status"], row["cause"]) == ("failed", ended["int8"].cause)
    attempt.weights.unlink()
    ended, n_trained = run(precisions())
    assert n_trained == 1
    assert {e.status for e in ended.values()} == {Status.DONE}


def test_what_a_failed_training_leaves_is_not_measured(precisions, run, store, monkeypatch):
    data = precisions(train={**LEARNS, "optimizer": {"lr": 100.0}})
    data["base"]["variant"]["norm"] = "none"
    ended, n_trained = run(data)
    assert n_trained == 1
    assert {e.status for e in ended.values()} == {Status.DIVERGED}
    assert len({e.cause for e in ended.values()}) == 1
    (attempt,) = all_attempts(store)
    assert attempt.measurements() == [] and not attempt.weights.exists()


def test_a_process_that_dies_measuring_is_recorded(precisions, plan, store, tmp_path):
    from harness.experiments.running.complete import outcome, record_death

    data = precisions(arms={"fp32": {}, "int8": infer("int8")})
    planned = plan(data)
    list(run_inline(planned.pending[:1], store, Execution(CPU)))
    (attempt,) = all_attempts(store)
    record_death(planned.runs[1], attempt, "the worker was killed by SIGKILL")
    assert outcome(planned.runs[1], attempt).cause == "the worker was killed by SIGKILL"
    assert outcome(planned.runs[0], attempt).status is Status.DONE
    assert [r.arm for r in plan(data).pending] == ["int8"]  # failed is not done


def test_a_changed_formula_is_measured_again_and_not_trained(precisions, plan, run, monkeypatch):
    from variants.precision import _int8

    data = precisions(arms={"fp32": {}, "int8": infer("int8")})
    run(data)

    def coarse(weight, group_size):
        values, scale = quantize(weight, group_size)
        return values // 16 * 16, scale

    quantize = _int8.quantize
    monkeypatch.setattr(_int8, "quantize", coarse)
    planned = plan(data)
    assert [r.arm for r in planned.pending] == ["int8"]
    assert planned.trainings == []
    run(data)
    assert plan(data).pending == []
    monkeypatch.undo()
    assert plan(data).pending == []  # the older measurement is still there


def test_trained_on_the_grid_is_another_run_with_its_own_conversion(precisions, plan, run, store):
    arms = {"fp32": {}, "int8": infer("int8"), "qat": QAT, "latent": LATENT}
    data = precisions(arms, train=LEARNS)
    planned = plan(data)
    ids = {r.arm: r.run_id for r in planned.runs}
    assert ids["fp32"] == ids["int8"] != ids["qat"] == ids["latent"]
    assert [r.arm for r in planned.measurements] == ["int8", "qat", "latent"]
    _, n_trained = run(data)
    assert n_trained == 2
    table = rows(planned, store)["val_loss"]
    losses = {arm: table[arm, 0] for arm in arms}
    assert len(set(losses.values())) == 4
    (attempt,) = [a for a in all_attempts(store) if a.run_id == ids["qat"]]
    seen = attempt.read_result().metrics["val_loss"]  # with the weights on their grid
    assert losses["qat"] == pytest.approx(seen, abs=1e-5)
    assert abs(losses["latent"] - seen) > 1e-5


def test_bf16_is_measured_in_bf16_and_not_as_it_was_trained(precisions, plan, run, store):
    half = {"variant": {"precision": "bf16"}}
    data = precisions(arms={"fp32": {}, "half": half})
    assert [r.arm for r in plan(data).measurements] == ["half"]
    run(data)
    row = rows(plan(data), store).loc["half", 0]
    attempt = next(a for a in all_attempts(store) if a.measurements())
    assert row["val_loss"] != attempt.read_result().metrics["val_loss"]
    assert row["val_loss"] == pytest.approx(attempt.read_result().metrics["val_loss"], rel=0.02)


def test_the_model_of_a_run_is_what_was_evaluated(precisions, plan, run, store):
    data = precisions(arms={"fp32": {}})
    run(data)
    (attempt,) = all_attempts(store)
    (planned,) = plan(data).runs
    model = load_run_model(attempt)
    assert model.head.weight is model.embedding.weight
    dataset = measure.load_dataset(planned.config.data)
    evaluation = evaluator_of(planned.config, dataset, CPU)(model)
    assert evaluation.metrics()["val_loss"] == attempt.read_result().metrics["val_loss"]


def test_the_record_of_a_training_does_not_depend_on_which_arm_asked_for_it(
    precisions, run, store, tmp_path
):
    run(precisions(arms={"int8": infer("int8"), "fp32": {}}))
    (attempt,) = all_attempts(store)
    assert attempt.read_run().config["variant"]["precision"]["infer"] == {"name": "fp32"}
    cost = attempt.read_result().cost
    assert cost["weight_bytes"] == 4 * cost["params"]


def test_arms_that_are_equal_are_trained_once_and_not_compared(
    precisions, plan, run, store, tmp_path
):
    arms = {"one": infer("int8"), "two": infer("int8", group_size=64), "fp32": {}}
    data = precisions(arms, seeds=4)
    _, n_trained = run(data)
    assert n_trained == 4
    planned = plan(data)
    comparison = refresh_tables(planned.record, store, ExperimentStore(tmp_path / "results"))
    reasons = {c.arm: c.reason for c in comparison.contrasts}
    assert "need a replica" in reasons["two"]
    assert reasons["fp32"] is None


def test_the_command_compares_exactly_and_says_what_differs(precisions, tmp_path):
    data = precisions(arms={"fp32": {}, "int8": infer("int8")}, seeds=4, train=LEARNS)
    file, results = write_yaml(tmp_path / "x.yaml", data), tmp_path / "results"
    shown = ablate("plan", file, results=results)
    assert shown.code == 0, shown.err
    work = "training 4, measuring the weights of 4 in another precision of inference"
    assert f"8 (2 arms x 4 seeds), 0 already in the store; {work}" in " ".join(shown.out.split())
    ended = ablate("run", file, "--inline", results=results)
    assert ended.code == 0, ended.out + ended.err
    assert f"8 runs; {work}, in this process, on cpu" in " ".join(ended.out.split())
    assert ended.out.count("start    fp32 seed") == ended.out.count("measure  int8 seed") == 4
    assert len(attempts(results)) == 4
    compared = ablate("compare", "small", "--json", results=results).json
    (contrast,) = compared["contrasts"]
    assert contrast["n"] == 4 and contrast["rho"] > 0.99
    assert contrast["high"] - contrast["low"] < 0.05 * contrast["detectable"] + 0.02
    assert (
        "with the same trained weights, so that only the precision of inference differs, and with "
        "it weight bytes (-"
    ) in contrast["sentence"]
    shown = ablate("compare", "small", results=results)
    assert "weights" in shown.out
    again = ablate("run", file, "--inline", results=results)
    assert "8 of them already in the store; training 0," in again.out


def test_a_precision_that_cannot_take_the_variant_is_told_before_training(precisions, plan):
    from harness.errors import ConfigError

    data = precisions()
    data["base"]["variant"]["d_ff"] = 66
    with pytest.raises(ConfigError, match="width of 66; int8_channel takes any") as found:
        plan(data)
    assert found.value.problems[0].path == ("arms", "int8", "variant", "precision", "infer")


def test_an_own_precision_that_changes_nothing_needs_no_measurement(monkeypatch):
    from lab import VARIANT

    from harness.core.slots import PRECISION, Precision
    from harness.core.spec import VariantSpec

    for method in ("prepare_training", "prepare_inference"):
        monkeypatch.setattr(PRECISION["bf16"], method, getattr(Precision, method))
    spec = VariantSpec.read({**VARIANT, "vocab_size": 32, "precision": "bf16"})
    assert final_scoring.evaluated_in_training(spec.precision)
    monkeypatch.undo()
    assert not final_scoring.evaluated_in_training(spec.precision)


def test_stored_results_are_strict_json_with_their_settings(precisions, run, store):
    run(precisions(arms={"fp32": {}, "int8": infer("int8", group_size=16)}))
    (attempt,) = all_attempts(store)
    (name,) = attempt.measurements()
    content = json.loads((attempt.path / "measurements" / f"{name}.json").read_text())
    assert content["settings"] == {
        "precision": {"name": "int8", "group_size": 16, "embedding": True}
    }
    assert content["status"] == "done"
