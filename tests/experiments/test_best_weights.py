"""The weights of the best evaluation are kept where they are not the final ones."""

import pytest
import torch
from faults import write_faulty
from killing import seen
from lab import ablate, attempts
from safetensors.torch import load_file

from harness.data.dataset import load_dataset
from harness.experiments.question.run_config import RunConfig
from harness.experiments.running.run_model import load_run_model
from harness.experiments.running.scoring import evaluator_of
from harness.experiments.showing.find_run import find_run
from harness.store.errors import StoreError
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore

TOO_FAST = ("train.optimizer.lr=1", "train.schedule=constant")  # it gets worse after a while
DIES = "if self.n == 8: die()"  # between the best evaluation, the third, and a worse one


def trained(folder, small, *options, fault="pass"):
    """Run an experiment whose held-out loss is not lowest at its end; return its faulty run."""
    given = ["run", write_faulty(folder, small, fault), *TOO_FAST, "--inline", *options]
    if fault == DIES:
        with pytest.raises(RuntimeError, match="exit code -9"):
            ablate(*given, results=folder / "results")
        (folder / "mended").touch()
    ended = ablate(*given, results=folder / "results")
    assert ended.code == 0, ended.err
    found = {a.read_run().config["variant"]["ffn"]["name"]: a for a in attempts(folder / "results")}
    return found["faulty"]


def losses(attempt):
    return {p["step"]: p["val_loss"] for p in attempt.read_curve() if "val_loss" in p}


def loss_with(attempt, which):
    run = RunConfig.read(attempt.read_run().config)
    evaluate = evaluator_of(run, load_dataset(run.data), torch.device("cpu"))
    return evaluate(load_run_model(attempt, which)).val_loss


@pytest.mark.row("R4-24")
def test_both_the_best_and_the_final_weights_give_the_losses_that_were_measured(small, tmp_path):
    attempt = trained(tmp_path, small)
    measured, result = losses(attempt), attempt.read_result()
    best = min(measured.values())
    assert measured[result.best_step] == best
    assert result.best_step < 10, measured  # or there would be nothing to see
    assert loss_with(attempt, "best") == pytest.approx(best, rel=1e-6)
    assert loss_with(attempt, "final") == pytest.approx(measured[10], rel=1e-6)
    assert measured[10] == result.metrics["val_loss"]


def test_the_best_weights_can_be_exported(small, tmp_path):
    trained(tmp_path, small)
    sound = find_run(
        "small/sound/0", *(S(tmp_path / "results") for S in (RunStore, ExperimentStore))
    )
    assert sound.read_result().best_step < 10
    exported = {}
    for which in ("final", "best"):
        given = ["export", "small/sound/0", tmp_path / which, "--weights", which]
        ended = ablate(*given, "--no-tokenizer", results=tmp_path / "results")
        assert ended.code == 0, ended.err
        exported[which] = load_file(tmp_path / which / "model.safetensors")
        ours = load_run_model(sound, which).embedding.weight
        assert torch.equal(exported[which]["model.embed_tokens.weight"], ours)
    assert not torch.equal(*(e["model.embed_tokens.weight"] for e in exported.values()))


@pytest.mark.row("R4-24")
def test_a_run_that_was_killed_keeps_the_same_ones(small, tmp_path):
    """Also when the best evaluation was before the kill, and no other save was due."""
    whole = trained(tmp_path / "whole", small)
    broken = trained(tmp_path / "broken", small, fault=DIES)
    assert [one.step for one in broken.read_resumes()] == [whole.read_result().best_step]
    assert seen(broken) == seen(whole)
    assert seen(whole)["best"][1] is not None


def test_best_weights_that_are_the_final_ones_are_kept_once(small, tmp_path):
    file = write_faulty(tmp_path, small, "pass")
    assert ablate("run", file, "--inline", results=tmp_path / "results").code == 0
    for attempt in attempts(tmp_path / "results"):
        assert attempt.read_result().best_step == 10
        assert attempt.checked_weights("best") == attempt.weights
        assert [path.name for path in attempt.path.glob("*.safetensors")] == ["weights.safetensors"]


def test_best_weights_of_a_precision_of_training_are_plain_too(small, tmp_path):
    on_grid = "variant.precision={train: int8_qat, infer: fp32}"
    attempt = trained(tmp_path, small, on_grid, fault="if self.n > 8: return -9 * y")
    final, best = (dict(load_run_model(attempt, w).named_parameters()) for w in ("final", "best"))
    assert attempt.read_result().best_step < 10, losses(attempt)
    assert final.keys() == best.keys()
    assert any(not torch.equal(final[name], best[name]) for name in final)


def test_best_weights_that_are_damaged_or_were_never_kept_are_refused(small, tmp_path):
    attempt = trained(tmp_path, small)
    path = attempt.checked_weights("best")
    assert path.name == "best.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"best\.safetensors: corrupt"):
        load_run_model(attempt, "best")
    path.unlink()
    with pytest.raises(StoreError, match="were not kept"):
        load_run_model(attempt, "best")
