"""Arms that begin with the weights of a checkpoint."""

import json

import pytest
import torch

from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.data.dataset import load_dataset
from harness.errors import AblateError, ConfigError
from harness.experiments.question.run_config import RunConfig
from harness.experiments.running.execute import execute
from harness.experiments.running.execution import Execution
from harness.interop.export import export_model
from harness.store.runs import RunStore

CPU = torch.device("cpu")


@pytest.fixture
def checkpoint(small, plan, tmp_path):
    """Write other weights of the small experiment's variant, and return the model."""
    alone = small(arms={"fresh": {}}, baseline="fresh", contrasts={})
    spec = plan(alone).runs[0].config.variant
    model = LanguageModel(spec).initialize(99)
    export_model(model, tmp_path / "checkpoint")
    return model


def started_from(folder, small, **arm):
    arms = {"fresh": {}, "from": {"init_from": folder, **arm}}
    return small(arms=arms, baseline="fresh", contrasts={}, match="none")


def test_training_begins_with_these_weights(checkpoint, small, plan, tmp_path, deterministic):
    data = started_from("checkpoint", small)
    data["base"]["train"]["optimizer"] = {"lr": 1e-9}  # so small that the weights stay
    run = next(r for r in plan(data).runs if r.arm == "from")
    execute(
        run.config, attempt := RunStore(tmp_path / "r").new_attempt(run.run_id, "e"), Execution(CPU)
    )
    tokens = torch.arange(12)[None] % 7
    started = LanguageModel(run.config.variant).initialize(run.config.effective_seed)
    run.config.init_from.load_into(started)
    for name, weight in checkpoint.state_dict().items():
        assert torch.equal(started.state_dict()[name], weight)
    assert torch.equal(started(tokens), checkpoint(tokens))
    assert attempt.read_result().status == "done"
    fresh = next(r for r in plan(data).runs if r.arm == "fresh" and r.config.seed == 0)
    execute(
        fresh.config,
        other := RunStore(tmp_path / "r").new_attempt(fresh.run_id, "e"),
        Execution(CPU),
    )
    losses = [a.read_result().metrics["val_loss"] for a in (attempt, other)]
    assert abs(losses[0] - losses[1]) > 1e-4


def test_a_variant_left_out_is_the_checkpoints(checkpoint, small, plan):
    data = started_from("checkpoint", small)
    variant = data["base"].pop("variant")
    data["arms"]["fresh"] = {"variant": variant}
    runs = plan(data).runs
    assert {repr(run.config.variant.dims) for run in runs} == {repr(checkpoint.spec.dims)}


def test_the_weights_are_part_of_a_runs_identity_and_their_place_is_not(
    checkpoint, small, plan, tmp_path
):
    def ids(folder):
        return {r.arm: r.run_id for r in plan(started_from(folder, small)).runs}

    before = ids("checkpoint")
    assert before["from"] != before["fresh"]
    (tmp_path / "checkpoint").rename(tmp_path / "moved")
    assert ids("moved") == before
    export_model(LanguageModel(checkpoint.spec).initialize(98), tmp_path / "others")
    after = ids("others")
    assert after["fresh"] == before["fresh"] and after["from"] != before["from"]


def test_a_stored_configuration_reads_back_without_the_folder(checkpoint, small, plan, tmp_path):
    run = next(r for r in plan(started_from("checkpoint", small)).runs if r.arm == "from")
    written = run.config.to_dict()
    (tmp_path / "checkpoint").rename(tmp_path / "moved")
    again = RunConfig.read(written)
    assert again.trained() == run.config.trained() and again.run_id() == run.run_id
    del written["init_from"]  # as it was written before arms could begin elsewhere
    assert RunConfig.read(written).init_from is None


def test_weights_that_change_after_planning_are_not_trained(checkpoint, small, plan, tmp_path):
    run = next(r for r in plan(started_from("checkpoint", small)).runs if r.arm == "from")
    (tmp_path / "checkpoint").rename(tmp_path / "old")
    export_model(LanguageModel(checkpoint.spec).initialize(98), tmp_path / "checkpoint")
    model = LanguageModel(run.config.variant)
    with pytest.raises(AblateError, match="have changed since the run was planned"):
        run.config.init_from.load_into(model)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"variant": {"n_layers": 2}}, r"blocks\.1\..* the variant has \[.*\], .*checkpoint none"),
        ({"variant": {"d_ff": 40}}, r"blocks\.0\.ffn\..*match: none"),
        ({"variant": {"attention": "mha"}}, r"blocks\.0\.attention\.k_proj\.weight"),
    ],
)
def test_weights_of_another_variant_are_refused(checkpoint, small, plan, arm, message):
    data = started_from("checkpoint", small, **arm)
    with pytest.raises(ConfigError, match=message) as refused:
        plan(data)
    assert refused.value.problems[0].path == ("arms", "from", "init_from")


def test_a_tokenizer_of_another_vocabulary_is_refused(checkpoint, small, plan, tmp_path):
    data = started_from("checkpoint", small)
    ours = load_dataset(plan(data).runs[0].config.data).tokenizer.to_json()
    (tmp_path / "checkpoint/tokenizer.json").write_text(ours)
    plan(data)
    other = json.loads(ours)
    first, second, *_ = vocabulary = other["model"]["vocab"]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    (tmp_path / "checkpoint/tokenizer.json").write_text(json.dumps(other))
    with pytest.raises(ConfigError, match="another vocabulary than the tokenizer") as refused:
        plan(data)
    assert refused.value.problems[0].path == ("arms", "from", "init_from")


def test_a_folder_without_a_checkpoint_is_refused(small, plan):
    with pytest.raises(ConfigError, match="there is no") as refused:
        plan(started_from("nowhere", small))
    assert refused.value.problems[0].path == ("arms", "from", "init_from")
    with pytest.raises(ConfigError, match="must be a folder, but got 3"):
        plan(started_from(3, small))


def test_a_file_is_no_folder(checkpoint, small, plan):
    with pytest.raises(ConfigError, match=r"must be a folder with config\.json and safetensors"):
        plan(started_from("checkpoint/config.json", small))


def test_a_comparison_says_that_the_initial_weights_differ(checkpoint, small, plan):
    (differs,) = plan(started_from("checkpoint", small)).record["differs"]
    assert differs.startswith("initial weights (from those of ")
    assert differs.endswith("checkpoint against drawn from the seed)")
    assert "initial" not in str(plan(small()).record["differs"])


def test_the_variant_may_differ_where_no_parameter_does(checkpoint, small, plan):
    data = started_from("checkpoint", small, variant={"position": "none"})
    run = next(r for r in plan(data).runs if r.arm == "from")
    assert run.config.variant.position[0].name == "none"
    assert isinstance(run.config.variant, VariantSpec)
