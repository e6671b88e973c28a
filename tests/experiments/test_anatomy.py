"""`ablate show`: the inside of a variant, told by the model itself."""

import math

import pytest
from lab import ablate

pytestmark = pytest.mark.row("R1-20")


def show(*arguments, results):
    ended = ablate("show", *arguments, results=results)
    assert ended.code == 0, ended.err
    return ended


def flat(parts, prefix=""):
    """Return every part by its path, with how often it is there."""
    found = {}
    for part in parts:
        path = f"{prefix}{part['name']}"
        found[path] = part
        found |= flat(part["parts"], f"{path}.")
    return found


def test_a_small_variant_is_shown_with_its_modules_counts_and_a_forward_pass(tmp_path):
    found = show("--json", results=tmp_path).json
    parts = flat(found["parts"])
    assert parts["embedding"]["weights"] == ["weight 1024 x 128"]
    assert parts["head"]["weights"] == ["weight 1024 x 128 (shared)"]
    assert parts["head"]["params"] == 0
    block = parts["blocks.0-3"]
    assert (block["what"], block["times"], block["params"]) == ("pre_norm", 4, 184_640)
    assert parts["blocks.0-3.attention"]["what"] == "gqa"
    assert parts["blocks.0-3.attention.k_proj"]["weights"] == ["weight 64 x 128"]
    counts = found["counts"]
    assert sum(part["params"] * part["times"] for part in found["parts"]) == counts["unique"]
    assert counts == {
        "total": 1_000_832,
        "unique": 869_760,
        "active": 869_760,
        "embedding": 131_072,
        "non_embedding": 738_688,
    }
    sample = found["sample"]
    assert (sample["tokens"], sample["logits_shape"]) == ([1, 2, 3, 4, 5], [1, 5, 1024])
    assert sample["finite"]
    assert sample["loss_of_a_guess"] == pytest.approx(math.log(1024))
    assert 0.5 < sample["loss"] / sample["loss_of_a_guess"] < 2


def test_layers_that_differ_are_shown_apart_and_changes_are_taken(tmp_path):
    changes = ["n_layers=5", "attention=[mqa, gqa, gqa]", "tie_embeddings=false"]
    found = show(*changes, "--json", results=tmp_path).json
    parts = flat(found["parts"])
    blocks = [name for name in parts if name.startswith("blocks.") and name.count(".") == 1]
    assert blocks == ["blocks.0", "blocks.1-2", "blocks.3", "blocks.4"]
    assert parts["head"]["weights"] == ["weight 1024 x 128"]
    by_hand = 2 * 1024 * 128 + 128 + 3 * 184_640 + 2 * (184_640 - 2 * 32 * 128)
    assert sum(part["params"] * part["times"] for part in found["parts"]) == by_hand
    assert found["counts"]["unique"] == by_hand


def test_a_large_variant_is_shown_without_being_allocated_and_says_so(tmp_path):
    found = show("--preset", "qwen3-0.6b", "--json", results=tmp_path).json
    assert found["counts"]["total"] == 751_632_384
    assert found["counts"]["unique"] == 596_049_920
    assert found["sample"] is None
    told = show("--preset", "qwen3-0.6b", results=tmp_path).out
    assert "28 times 15,730,944" in told and "596,049,920" in told
    assert "Not run: built on the meta device alone" in told


def test_people_read_the_same_and_are_told_of_the_forward_pass(tmp_path):
    told = show(results=tmp_path).out
    for words in ("4 times 184,640", "gate_proj", "869,760", "1 x 5 x 1024", "all finite"):
        assert words in told, words


def test_the_smallest_model_there_can_be_is_shown(tmp_path):
    sizes = ["d_model=2", "n_heads=1", "head_dim=2", "d_ff=1", "vocab_size=1", "max_seq_len=1"]
    sample = show(*sizes, "attention=mha", "--json", results=tmp_path).json["sample"]
    assert (sample["tokens"], sample["logits_shape"]) == ([0], [1, 1, 1])
    assert sample["loss"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("attention=gqqa", "Did you mean 'gqa'"),
        ("attention={name: gqa, n_kv_heads: 3}", "must be a multiple of n_kv_heads (3)"),
    ],
)
def test_a_change_that_is_none_is_refused(tmp_path, change, words):
    ended = ablate("show", change, results=tmp_path)
    assert ended.code == 2
    assert words in ended.err and ended.err.startswith("variant.attention")
