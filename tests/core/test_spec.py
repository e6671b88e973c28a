import pytest

from harness.core.model import LanguageModel
from harness.core.slots import ATTENTION, FFN, POSITION, SLOTS
from harness.core.spec import BASELINE, VariantSpec
from harness.errors import ConfigError
from variants.presets import PRESETS

WRITTEN = {
    "d_model": 32, "n_layers": 4, "n_heads": 4, "d_ff": 48, "vocab_size": 61, "max_seq_len": 32,
}  # fmt: skip


def read(**changes):
    return VariantSpec.read({**WRITTEN, **changes})


def problems(**changes):
    with pytest.raises(ConfigError) as caught:
        LanguageModel(read(**changes))
    return {problem.path: problem.message for problem in caught.value.problems}


def test_a_slot_that_is_left_out_is_qwen3s():
    assert read() == read(**BASELINE)
    assert read().attention[0].name == "gqa" and read().tie_embeddings is True


def test_an_unknown_key_is_answered_with_the_nearest_spelling():
    found = problems(n_layer=2, atention="gqa")
    assert found.keys() == {("n_layer",), ("atention",)}
    assert "Did you mean 'n_layers'?" in found[("n_layer",)]
    assert "Did you mean 'attention'?" in found[("atention",)]


def test_all_mistakes_are_reported_at_once_with_their_paths():
    found = problems(
        attention={"name": "gqa", "n_kv_heads": "2"},
        ffn=["swiglu", {"name": "gelu", "d_ff": 3}],
        precision={"train": "fp23"},
        tie_embeddings="yes",
        init={"std": 0},
    )
    assert found.keys() == {
        ("attention", "n_kv_heads"), ("ffn", 1, "d_ff"), ("precision", "train"),
        ("tie_embeddings",), ("init", "std"),
    }  # fmt: skip


@pytest.mark.parametrize("value", [True, "4", 4.0, 0, -1, None])
def test_a_dim_is_a_positive_whole_number(value):
    assert problems(n_layers=value).keys() == {("n_layers",)}


def test_a_missing_dim_is_named():
    with pytest.raises(ConfigError, match="vocab_size: this key is required"):
        VariantSpec.read({k: v for k, v in WRITTEN.items() if k != "vocab_size"})


def test_heads_must_divide_the_width_unless_their_size_is_given():
    assert "d_model (32) must be divisible by n_heads (5)" in problems(n_heads=5)[("n_heads",)]
    assert read(n_heads=5, head_dim=6).dims.head_dim == 6
    assert read().dims.head_dim == 8


def test_key_value_heads_must_divide_heads_and_the_path_names_the_slot():
    found = problems(attention={"name": "gqa", "n_kv_heads": 3})
    assert found.keys() == {("attention",)}
    assert "n_heads (4) must be a multiple of n_kv_heads (3)" in found[("attention",)]


def test_a_refusal_inside_attention_names_the_slot_that_refuses():
    found = problems(n_heads=4, head_dim=7)
    assert found.keys() == {("position",)}
    assert "'rope'" in found[("position",)] and "7" in found[("position",)]


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (["gqa", "gqa"], ["gqa"]),
        (["mqa", "mha", "mqa", "mha"], ["mqa", "mha"]),
        (["mqa", "mha"], ["mqa", "mha"]),
        (["mha", "mha", "mha", "mqa"], ["mha", "mha", "mha", "mqa"]),
        # three over four layers begin again: a b c a, which no shorter cycle writes
        (["mqa", "mha", "gqa"], ["mqa", "mha", "gqa"]),
        (["mqa", "mha", "mha", "mqa"], ["mqa", "mha", "mha"]),
    ],
)
def test_a_cycle_over_layers_is_written_in_the_one_shortest_way(written, names):
    dims = read().dims
    assert read(attention=written).attention == tuple(ATTENTION.resolve(n, dims) for n in names)


def test_layers_are_filled_in_turn_and_a_cycle_must_fit():
    spec = read(attention=["mqa", "mha"])
    heads = [block.attention.n_kv_heads for block in LanguageModel(spec).blocks]
    assert (
        heads
        == [1, 4, 1, 4]
        == [spec.layer("attention", i).options["n_kv_heads"] for i in range(4)]
    )
    assert "between 1 and n_layers (4) components" in problems(ffn=["swiglu"] * 5)[("ffn",)]
    assert problems(ffn=[]).keys() == {("ffn",)}


def test_precision_has_two_sides_and_only_training_belongs_to_the_identity():
    both, infer = read(precision="bf16"), read(precision={"infer": "bf16"})
    assert (both.precision.train.name, both.precision.infer.name) == ("bf16", "bf16")
    assert (infer.precision.train.name, infer.precision.infer.name) == ("fp32", "bf16")
    assert infer.identity() == read().identity() != both.identity()


SPECS = {
    "baseline": {},
    "mixed": {"attention": ["mqa", "mha"], "position": ["rope", "none"], "norm": "layer_norm"},
    "options": {"attention": {"name": "gqa", "bias": True}, "init": {"outputs": "zero"}},
    "precision": {"precision": {"train": "bf16"}, "tie_embeddings": False},
    "embedding": {"embedding": "learned_position", "block": "post_norm"},
}


@pytest.mark.parametrize("changes", SPECS.values(), ids=SPECS)
def test_what_is_written_is_read_back_equal(changes):
    spec = read(**changes)
    assert VariantSpec.read(spec.to_dict()) == spec
    assert VariantSpec.read(spec.identity()).identity() == spec.identity()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_read_back_equal(name):
    spec = VariantSpec.read({"vocab_size": 1024, **PRESETS[name]})
    assert VariantSpec.read(spec.to_dict()) == spec


def test_the_identity_leaves_out_what_equals_its_default():
    identity = read(attention={"name": "gqa", "n_kv_heads": 2, "qk_norm": True}).identity()
    assert identity == read().identity()
    assert identity["attention"] == {"name": "gqa"} and identity["init"] == {}
    different = read(attention={"name": "gqa", "qk_norm": False}).identity()
    assert different["attention"] == {"name": "gqa", "qk_norm": "none"}
    distinct = [str(read(**changes).identity()) for changes in SPECS.values()]
    assert len(set(distinct)) == len(distinct)


@pytest.fixture
def features(monkeypatch):
    """Say what existing components provide, require and exclude, for one test."""

    def say(registry, name, **sets):
        for kind, names in sets.items():
            monkeypatch.setattr(registry[name], kind, frozenset(names), raising=True)

    return say


def test_a_pair_that_excludes_each_other_is_refused_with_both_names(features):
    features(POSITION, "none", provides={"attention_bias"})
    features(FFN, "gelu", excludes={"attention_bias"})
    message = problems(ffn="gelu", position=["rope", "none"])[("ffn",)]
    assert "ffn 'gelu' does not go together with position 'none' (layer 1)" in message
    assert read(ffn="gelu") and read(position="none")
    # layer 0 holds rope and gelu, layer 1 none and swiglu: they never meet
    assert read(ffn=["gelu", "swiglu"], position=["rope", "none"])


def test_what_a_component_requires_must_be_provided_in_its_own_layer(features):
    features(POSITION, "none", provides={"attention_bias"})
    features(FFN, "gelu", requires={"attention_bias"})
    assert read(ffn="gelu", position="none")
    message = problems(ffn="gelu")[("ffn",)]
    assert "'gelu'" in message and "'attention_bias'" in message and "layer 0" in message


def test_a_spec_survives_resizing_and_refuses_what_does_not_fit():
    spec = read()
    assert spec.resized(d_ff=64).dims.d_ff == 64 and spec.dims.d_ff == 48
    assert VariantSpec.read(spec.resized(d_ff=48).to_dict()) == spec
    assert set(SLOTS) == set(BASELINE)
