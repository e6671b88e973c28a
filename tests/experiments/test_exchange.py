"""From a finished run to transformers, and from a checkpoint to our YAML, by the commands."""

import json
import shutil

import pytest
import torch
from lab import ablate, attempts, experiment, files, write_corpus, write_yaml
from ruamel.yaml import YAML

from harness.core.spec import VariantSpec
from harness.data.config import DataConfig
from harness.data.dataset import load_dataset
from harness.errors import AblateError
from harness.experiments.running.run_model import load_run_model
from harness.experiments.showing.find_run import find_run
from harness.interop.checkpoint import import_model
from harness.store.experiments import ExperimentStore
from harness.store.runs import RunStore


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run a small experiment once; nobody may change what it leaves."""
    folder = tmp_path_factory.mktemp("finished")
    file = write_yaml(folder / "small.yaml", experiment(write_corpus(folder / "corpus")))
    ended = ablate("run", file, "--inline", results=folder / "results")
    assert ended.code == 0, ended.err
    return folder / "results"


@pytest.fixture
def results(finished, tmp_path):
    """Return a copy of the finished results that may be changed."""
    return shutil.copytree(finished, tmp_path / "results")


def found(name, results):
    return find_run(name, RunStore(results), ExperimentStore(results))


def test_a_run_is_exported_with_the_weights_it_learned(results, tmp_path):
    ended = ablate("export", "small/swiglu/1", tmp_path / "out", results=results)
    assert ended.code == 0, ended.err
    attempt = found("small/swiglu/1", results)
    config = attempt.read_run().config
    assert (config["seed"], config["variant"]["ffn"]["name"]) == (1, "swiglu")
    assert f"run {attempt.run_id}: 6.48k parameters, 25.9 kB in float32" in ended.out
    transformers = pytest.importorskip("transformers")
    reference = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    model, tokens = load_run_model(attempt), torch.randint(257, (2, 33))
    with torch.no_grad():
        ours, theirs = model(tokens), reference(tokens).logits
    assert (ours - theirs).abs().max() <= 1e-5 * ours.abs().max()
    initial = type(model)(model.spec).initialize(1)
    assert not torch.equal(initial.embedding.weight, model.embedding.weight)


def test_a_run_brings_its_tokenizer(results, tmp_path):
    transformers = pytest.importorskip("transformers")
    ablate("export", "small/swiglu/0", tmp_path / "out", results=results)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    data = found("small/swiglu/0", results).read_run().config["data"]
    ours = load_dataset(DataConfig.read(data)).tokenizer
    for text in ["the quick brown fox\n", "é – 東\x00 <|endoftext|>"]:  # noqa: RUF001
        assert theirs(text)["input_ids"] == ours.encode([text])[0]
        assert theirs.decode(ours.encode([text])[0]) == text
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config["eos_token_id"] == theirs.eos_token_id == ours.separator


def test_a_run_whose_corpus_is_gone_is_exported_without_tokenizer(finished, tmp_path):
    corpus = write_corpus(tmp_path / "corpus", n_documents=20)
    file = write_yaml(tmp_path / "small.yaml", experiment(corpus, seeds=1))
    assert ablate("run", file, "--inline", results=tmp_path / "results").code == 0
    shutil.rmtree(corpus)
    given = ("export", "small/swiglu/0", tmp_path / "out")
    ended = ablate(*given, results=tmp_path / "results")
    assert ended.code == 2
    assert "tokenizer cannot be built again" in ended.err and "--no-tokenizer" in ended.err
    assert not (tmp_path / "out").exists()
    assert ablate(*given, "--no-tokenizer", results=tmp_path / "results").code == 0
    assert not (tmp_path / "out/tokenizer.json").exists()


def test_a_run_that_qwen3_cannot_express_is_refused(results, tmp_path):
    ended = ablate("export", "small/gelu/0", tmp_path / "out", results=results)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "ffn: Qwen3 has no 'gelu', only 'swiglu' or 'moe'\n"
    assert files(tmp_path) == [f"results/{f}" for f in files(results)]


def test_runs_are_found_by_what_people_call_them(results):
    by_plan = found("small/gelu/0", results)
    assert found(by_plan.run_id[:6], results).path == by_plan.path
    assert found(by_plan.run_id, results).path == by_plan.path
    for name, said in {
        "small/gelu": "EXPERIMENT/ARM/SEED",
        "smal/gelu/0": "Did you mean 'small'",
        "small/gel/0": "Did you mean 'gelu'",
        "small/gelu/7": "unknown seed '7'",
        "0123456789ab": "there is no run '0123456789ab'",
        "": "4 runs begin with ''",
    }.items():
        with pytest.raises(AblateError, match=said):
            found(name, results)


def test_a_run_that_is_not_finished_is_not_exported(results, tmp_path):
    attempt = found("small/swiglu/0", results)
    (attempt.path / "result.json").unlink()
    for name in ("small/swiglu/0", attempt.run_id):
        ended = ablate("export", name, tmp_path / "out", results=results)
        assert (ended.code, ended.err) == (2, f"run {name} is not finished: it is interrupted\n")
    assert len(attempts(results)) == 4


def test_a_preset_is_exported_with_the_weights_of_its_seed(tmp_path):
    small = ("vocab_size=64", "n_layers=1")
    for name, seed in ("a", 3), ("b", 3), ("c", 4):
        given = ("export", "tiny", tmp_path / name, *small, "--seed", seed)
        ended = ablate(*given, results=tmp_path / "results")
        assert ended.code == 0, ended.err
        assert "initial weights of seed" in ended.out
    a, b, c = (import_model(tmp_path / name) for name in "abc")
    assert torch.equal(a.embedding.weight, b.embedding.weight)
    assert not torch.equal(a.embedding.weight, c.embedding.weight)
    assert (a.spec.dims.n_layers, a.spec.dims.vocab_size) == (1, 64)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("tinyy",), "unknown preset 'tinyy'. Did you mean 'tiny'?"),
        (("qwen3-235b-a22b",), "there is no room"),
        (("reference-4",), "position: Qwen3 has no 'head_rope'"),
    ],
)
def test_presets_that_cannot_be_exported_are_refused_at_once(given, said, tmp_path):
    ended = ablate("export", *given, tmp_path / "out", results=tmp_path / "results")
    assert ended.code == 2 and said in ended.err
    assert files(tmp_path) == []


def test_a_run_takes_no_changes(results, tmp_path):
    given = ("export", "small/swiglu/0", tmp_path / "out", "n_layers=2")
    ended = ablate(*given, results=results)
    assert (ended.code, ended.err) == (2, "a run is exported as it is, but got n_layers=2\n")


def test_an_imported_checkpoint_is_told_in_yaml_that_builds_it(tmp_path):
    given = ("export", "tiny-moe", tmp_path / "out", "vocab_size=70", "--dtype", "bfloat16")
    assert ablate(*given, results=tmp_path).code == 0
    ended = ablate("import", tmp_path / "out", results=tmp_path)
    assert ended.code == 0, ended.err
    assert "in bfloat16; they are read as float32" in ended.out
    told = YAML(typ="safe", pure=True).load(ended.out[ended.out.index("variant:") :])
    imported = import_model(tmp_path / "out")
    assert VariantSpec.read(told["variant"]) == imported.spec
    asked = ablate("import", tmp_path / "out", "--json", results=tmp_path)
    assert asked.json["params"] == sum(p.numel() for p in imported.parameters())
    assert VariantSpec.read(asked.json["variant"]) == imported.spec


def test_what_is_no_checkpoint_is_refused(tmp_path):
    ended = ablate("import", tmp_path, results=tmp_path)
    assert (ended.code, ended.err) == (2, f"there is no {tmp_path / 'config.json'}\n")
    ended = ablate("import", "Qwen/Qwen3-0.6B", results=tmp_path)
    assert ended.code == 2 and "there is no folder Qwen/Qwen3-0.6B (nothing is fetched" in ended.err


def test_an_export_says_that_no_conversion_is_part_of_it(tmp_path):
    ended = ablate("export", "tiny", tmp_path / "out", "precision.infer=int8", results=tmp_path)
    assert "3.48 MB in float32, as trained, not converted to int8" in ended.out
