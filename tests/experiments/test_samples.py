"""A finished run on text leaves a few texts, which never change or fail the run."""

import json

import pytest
import torch
from lab import ablate, attempts, write_yaml

from harness.data.dataset import load_dataset
from harness.experiments.planning.reuse import Reuse
from harness.experiments.running.execution import Execution
from harness.experiments.running.local import run_inline
from harness.experiments.running.run_model import load_run_model
from harness.inference.decoding import decode
from harness.inference.greedy import greedy
from harness.inference.sampling import sampled
from harness.store.runs import RunStore
from harness.training.randomness import address

CPU = torch.device("cpu")
ONE = {"arms": {"only": {}}, "baseline": "only", "seeds": 1}


@pytest.fixture
def train(small, plan, tmp_path, deterministic):
    """Train one run and return its configuration and its attempt."""

    def do(place="runs", change=None, **changes):
        data = small(**{**ONE, **changes})
        data["base"]["data"] = change or data["base"]["data"]
        (planned,) = plan(data).runs
        store = RunStore(tmp_path / place)
        assert not [e for e in run_inline([planned], store, Execution(CPU)) if e.cause]
        return planned.config, store.attempts(planned.run_id)[0]

    return do


def test_samples_go_on_from_the_first_words_of_held_out_documents(train):
    config, attempt = train()
    dataset, samples = load_dataset(config.data), attempt.read_samples()
    assert samples.cause is None
    assert [s.document for s in samples.samples] == [d.id for d in dataset.held_out[:3]]
    model = load_run_model(attempt)
    for sample, document in zip(samples.samples, dataset.held_out, strict=False):
        text = dataset.tokenizer.decode(document.tokens[1:])
        assert text.startswith(sample.prompt) and 0 < len(sample.prompt) <= 32
        ids = [dataset.tokenizer.separator, *dataset.tokenizer.encode([sample.prompt])[0]]
        alone = greedy(model, torch.tensor([ids]), 32)[0]
        assert dataset.tokenizer.decode(alone) == sample.greedy
        assert sample.sampled != sample.greedy


def test_the_same_run_writes_the_same(train):
    (config, first), (_, second) = train("a"), train("b")
    assert first.read_samples() == second.read_samples()
    other = sampled(address(1, "samples"))
    model, ids = load_run_model(first), torch.tensor([[0, 1, 2]])
    ours = decode(model, ids, 30, sampled(address(config.seed, "samples")))
    assert not torch.equal(ours, decode(model, ids, 30, other))


def test_tokens_are_drawn_as_often_as_the_model_predicts():
    shares = torch.tensor([0.1, 0.6, 0.0, 0.3])
    drawn = sampled(0)(shares.log().expand(20_000, 4))
    counts = torch.bincount(drawn, minlength=4) / 20_000
    assert counts.tolist() == pytest.approx(shares.tolist(), abs=0.015)
    assert counts[2] == 0


def test_asking_for_none_leaves_none_and_is_the_same_run(train, tmp_path):
    config, attempt = train(samples=0)
    assert attempt.read_samples() is None and config.samples == 0
    (other, wordy) = train("b")
    assert config.run_id() == other.run_id()
    assert attempt.read_result().weights_sha256 == wordy.read_result().weights_sha256
    assert (
        Reuse(RunStore(tmp_path / "runs"))
        .find(other, other.run_id(), attempt.environment)
        .attempt.path
        == attempt.path
    )


def test_a_probe_is_not_asked_for_text(train):
    metric = {"metric": "val_accuracy"}
    _, attempt = train(change={"corpus": {"name": "copy", "n_tokens": 4}}, analysis=metric)
    assert attempt.read_result().cause is None and attempt.read_samples() is None


def test_what_goes_wrong_is_written_down_and_the_run_is_done(small, tmp_path):
    """A component of a user that cannot decode, although it trains; known to that process alone."""
    folder = tmp_path / "own"
    (folder / "attention").mkdir(parents=True)
    (folder / "attention" / "no_cache.py").write_text(NO_CACHE)
    own = {"components": [str(folder)], "arms": {"only": {"variant": {"attention": "no_cache"}}}}
    file = write_yaml(tmp_path / "x.yaml", small(**{**ONE, **own}))
    assert ablate("run", file, "--inline", results=tmp_path / "results").code == 0
    (attempt,) = attempts(tmp_path / "results")
    assert str(attempt.status) == "done" and attempt.has_weights
    samples = attempt.read_samples()
    assert samples.samples == [] and "keeps nothing" in samples.cause


NO_CACHE = '''"""An attention that keeps nothing."""
from harness.core.slots import ATTENTION
from variants.attention.gqa import GroupedQueryAttention

@ATTENTION.register("no_cache")
class NoCache(GroupedQueryAttention):
    """Keeps nothing."""

    def new_cache(self, batch, max_len, device, dtype):
        if device.type == "meta":
            return super().new_cache(batch, max_len, device, dtype)
        raise RuntimeError("keeps nothing")
'''


def test_a_run_is_shown_with_its_samples_positions_and_documents(small, tmp_path):
    file, results = write_yaml(tmp_path / "x.yaml", small(**ONE)), tmp_path / "results"
    assert ablate("run", file, "--inline", results=results).code == 0
    found = ablate("show", "small/only/0", "--json", results=results).json
    assert ablate("show", found["run_id"], "--json", results=results).json == found
    folder = tmp_path / "results" / "runs" / found["run_id"]
    (result,) = (json.loads(file.read_text()) for file in folder.glob("*/result.json"))
    assert found["result"]["metrics"] == result["metrics"]
    losses = {str(row["first"]): row["loss"] for row in found["by_position"]}
    assert losses == result["loss_by_position"]
    documents = {row["document"]: [row["nats"], row["bytes"]] for row in found["by_document"]}
    assert documents == result["documents"]
    assert [row["bpb"] for row in found["by_document"]] == sorted(
        row["bpb"] for row in found["by_document"]
    )
    assert [row["residual_rms"] for row in found["by_layer"]] == result["activations"]["residual"][
        "rms"
    ]
    assert [row["gradient_at_end"] for row in found["by_layer"]] == result["grad_norm_by_layer"][
        "end"
    ]
    shown = ablate("show", "small/only/0", results=results)
    assert shown.code == 0, shown.err
    for sample in found["samples"]["samples"]:
        assert sample["prompt"] in " ".join(shown.out.split("\n"))
    for words in ("Loss by position", "Loss by document", "Activations by layer", "(sampled)"):
        assert words in shown.out
    for row in found["by_document"]:
        assert row["document"] in shown.out


def test_a_run_that_is_not_there_is_told(tmp_path):
    ended = ablate("show", "small/only/0", results=tmp_path)
    assert ended.code == 2 and "unknown experiment 'small'" in ended.err
