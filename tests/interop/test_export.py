"""What is exported computes the same in transformers; what Qwen3 cannot say is refused by name."""

import json
import re

import pytest
import torch
from hub import SHAPES, assert_bit_equal, assert_same_logits, lively, variant
from safetensors import safe_open
from tokenizers import Tokenizer

from harness.contracts.subject import subjects, tokens
from harness.core.model import LanguageModel
from harness.data.tokenizers.bpe import BytePairEncoding
from harness.errors import AblateError, ConfigError
from harness.interop.checkpoint import import_model
from harness.interop.export import export_model
from harness.interop.expressible import check_expressible
from harness.interop.tokenizer import HubTokenizer


@pytest.mark.row("R2-33")
def test_transformers_computes_the_same_logits_when_tied(tmp_path):
    for shape in SHAPES:
        model = lively(variant(shape, tie_embeddings=True))
        export_model(model, tmp_path / shape)
        assert_same_logits(model, tmp_path / shape)


def test_whoever_may_read_the_configuration_may_read_the_weights(tmp_path):
    export_model(lively(variant()), tmp_path / "out")
    modes = {file.name: file.stat().st_mode for file in (tmp_path / "out").iterdir()}
    assert modes["model.safetensors"] == modes["config.json"]


@pytest.mark.parametrize("shape", SHAPES)
def test_transformers_computes_the_same_logits(shape, tmp_path):
    attention = {"name": "gqa", "n_kv_heads": SHAPES[shape]["kv"], "bias": True}
    for number, changes in enumerate(({}, {"attention": attention})):
        model = lively(variant(shape, tie_embeddings=False, **changes))
        export_model(model, tmp_path / str(number))
        assert_same_logits(model, tmp_path / str(number))


@pytest.mark.parametrize("subject", subjects(), ids=str)
def test_every_component_is_computed_alike_or_refused(subject, tmp_path):
    """A new component or option that is not known to the export must not slip through."""
    spec = subject.spec(d_ff=40)
    try:
        check_expressible(spec)
    except ConfigError as refusal:
        said = str(refusal)
        slots = [slot for slot in (subject.slot, *subject.partners) if said.count(slot)]
        assert slots, f"{subject} is refused for another reason: {said}"
        with pytest.raises(ConfigError, match=re.escape(said)):
            export_model(subject.model(d_ff=40), tmp_path / "out")
        assert not (tmp_path / "out").exists()
    else:
        model = subject.model(d_ff=40)
        export_model(model, tmp_path / "out")
        assert_same_logits(model, tmp_path / "out", tokens())


def gqa(**options):
    return {"attention": {"name": "gqa", "n_kv_heads": 3, **options}}


REFUSED = {  # what stands in the way -> how it is named
    "norm": ({"norm": "layer_norm"}, "norm: Qwen3 has no 'layer_norm', only 'rms_norm'"),
    "ffn": ({"ffn": ["swiglu", "gelu", "gelu"]}, "ffn.1: Qwen3 has no 'gelu'"),
    "block": ({"block": "post_norm"}, "block: Qwen3 has no 'post_norm'"),
    "position": ({"position": ["rope", "none", "rope"]}, "position.1: Qwen3 has no 'none'"),
    "embedding": ({"embedding": "learned_position"}, "embedding: Qwen3 has no 'learned_position'"),
    "two thetas": (
        {"position": [{"name": "rope", "theta": 1e4}, {"name": "rope", "theta": 1e6}]},
        "position.theta: Qwen3 has one value for all layers, but got 10000.0 and 1000000.0",
    ),
    "half-split or not": (
        {"position": {"name": "rope_interleaved", "theta": 1e4}},
        "position: Qwen3 has no 'rope_interleaved', only 'rope' or 'yarn'",
    ),
    "two kinds of angles": (
        {"position": ["rope", "yarn"]},
        "position: Qwen3 has one component for all layers, but got 'rope' and 'yarn'",
    ),
    "scaled": ({"embedding": "scaled"}, "embedding: Qwen3 has no 'scaled', only 'token'"),
    "no QK-norm": (gqa(qk_norm="none"), "attention.qk_norm: Qwen3 cannot express 'none'"),
    "full QK-norm": (gqa(qk_norm="full"), "attention.qk_norm: Qwen3 cannot express 'full'"),
    "soft cap": (gqa(softcap=9.0), "attention.softcap: Qwen3 cannot express 9.0"),
    "sinks": (gqa(sinks=True), "attention.sinks: Qwen3 cannot express True"),
    "gate": (gqa(gate=True), "attention.gate: Qwen3 cannot express True"),
    "shared": (gqa(shared_kv=3), "attention.shared_kv: Qwen3 cannot express 3"),
    "values": (gqa(value_residual=True), "attention.value_residual: Qwen3 cannot express True"),
    "shift": (
        {"norm": {"name": "rms_norm", "bias": True}},
        "norm.bias: Qwen3 cannot express True",
    ),
    "convolution": (
        {"block": {"name": "pre_norm", "convolution": "ffn"}},
        "block.convolution: Qwen3 cannot express 'ffn'",
    ),
    "QAT": (
        {"precision": {"train": "int8_qat"}},
        "precision.train: Qwen3 is not made of weights trained in 'int8_qat'",
    ),
    "softcap of logits": (
        {"logit_softcap": 30.0},
        "logit_softcap: Qwen3 cannot express it, but it is 30.0",
    ),
}


@pytest.mark.parametrize(("changes", "said"), REFUSED.values(), ids=REFUSED)
def test_what_qwen3_cannot_express_is_refused_by_name(changes, said, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(said)):
        export_model(lively(variant(**changes)), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_everything_that_stands_in_the_way_is_named_at_once():
    changes = {"norm": "layer_norm", "ffn": "geglu", "block": "post_norm", "logit_softcap": 9.0}
    with pytest.raises(ConfigError) as refused:
        check_expressible(variant(**changes))
    places = {problem.path[0] for problem in refused.value.problems}
    assert places == {"norm", "ffn", "block", "logit_softcap"}


def test_how_a_model_was_trained_stands_in_no_way(tmp_path):
    init = {"std": 0.3, "outputs": "zero"}
    spec = variant(dropout=0.2, init=init, precision={"train": "bf16", "infer": "int8"})
    model = lively(spec)
    export_model(model, tmp_path / "out")
    assert_same_logits(model, tmp_path / "out")


def test_large_weights_are_split_into_files_with_an_index(tmp_path):
    model, limit = lively(variant(tie_embeddings=False)), 40_000
    export_model(model, tmp_path / "out", shard_bytes=limit)
    files = sorted(f.name for f in (tmp_path / "out").glob("*.safetensors"))
    n = len(files)
    assert n > 3
    assert files == [f"model-{i:05}-of-{n:05}.safetensors" for i in range(1, n + 1)]
    index = json.loads((tmp_path / "out/model.safetensors.index.json").read_text())
    held = {}
    for file in files:
        with safe_open(tmp_path / "out" / file, "pt") as opened:
            assert opened.metadata() == {"format": "pt"}
            sizes = [opened.get_tensor(name).nbytes for name in opened.keys()]  # noqa: SIM118
            held |= dict.fromkeys(opened.keys(), file)
        assert sum(sizes) <= limit or len(sizes) == 1
    assert index["weight_map"] == held
    total = sum(p.numel() * 4 for p in model.parameters())
    assert index["metadata"]["total_size"] == total
    assert_same_logits(model, tmp_path / "out")
    assert_bit_equal(import_model(tmp_path / "out"), model)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_round_trip_gives_the_same_variant_and_the_same_bits(tied, tmp_path):
    model = lively(variant(tie_embeddings=tied))
    export_model(model, tmp_path / "out")
    again = import_model(tmp_path / "out")
    assert again.spec == model.spec
    assert_bit_equal(again, model)
    assert (again.head.weight is again.embedding.weight) == tied


def test_weights_are_written_in_bfloat16_if_asked_for(tmp_path):
    model = lively(variant())
    export_model(model, tmp_path / "out", dtype=torch.bfloat16)
    assert json.loads((tmp_path / "out/config.json").read_text())["dtype"] == "bfloat16"
    assert_bit_equal(import_model(tmp_path / "out"), model.bfloat16().float())
    weights = sum(p.numel() for p in model.parameters()) * 2
    assert weights < (tmp_path / "out/model.safetensors").stat().st_size < weights + 10_000


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(AblateError, match="not empty: nothing is overwritten"):
        export_model(lively(variant()), tmp_path / "out")
    assert [f.name for f in tmp_path.rglob("*")] == ["out", "mine.txt"]
    (tmp_path / "empty").mkdir()
    export_model(lively(variant()), tmp_path / "empty")
    assert (tmp_path / "empty/model.safetensors").exists()


def test_an_export_that_fails_leaves_nothing_behind(tmp_path):
    tokenizer = HubTokenizer('{"added_tokens": []}', separator=0)
    with pytest.raises(AblateError, match="no special token with the id 0"):
        export_model(lively(variant()), tmp_path / "out", tokenizer)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_noticed_before_anything_is_written(tmp_path):
    with torch.device("meta"):  # 10 TB that nobody holds
        model = LanguageModel(variant(d_model=2**16, d_ff=2**20, n_layers=12))
    with pytest.raises(AblateError, match=r"no room .* 9\.9 TB are needed and .* are free"):
        export_model(model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


TEXTS = [
    "It's 1789, isn't it?  \n\n\tTwo  spaces",
    "café — 東京 🙂 \x00",
    "",
    " a<|endoftext|>b",
    "αβγ" * 9,
]


def test_transformers_reads_the_tokenizer(tmp_path):
    transformers = pytest.importorskip("transformers")
    ours = BytePairEncoding(vocab_size=300)
    ours.train(["the quick brown fox, it's 12345 lazy", "don't, won't, can't"] * 3)
    ours.save(tmp_path)
    tokenizer = HubTokenizer((tmp_path / "tokenizer.json").read_text(), ours.separator)
    export_model(lively(variant(vocab_size=300)), tmp_path / "out", tokenizer)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in TEXTS:
        ids = theirs(text)["input_ids"]
        assert ids == ours.encode([text])[0], text
        assert theirs.decode(ids) == text
    assert theirs.bos_token_id == theirs.eos_token_id == ours.separator == 0
    assert theirs.model_max_length == 64
    assert Tokenizer.from_file(str(tmp_path / "out/tokenizer.json")).get_vocab_size() <= 300
    generation = transformers.GenerationConfig.from_pretrained(tmp_path / "out")
    assert (generation.eos_token_id, generation.pad_token_id) == (0, 0)
