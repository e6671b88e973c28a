"""Parameters are counted by identity: a tied matrix is one, and is one whatever it is called."""

import pytest
import torch

from harness.core.cost import measure_cost
from harness.core.counts import count_parameters
from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from variants.presets import preset


def spec(name, **changes):
    return VariantSpec.read({"vocab_size": 1024, **preset(name), **changes})


def count(variant):
    with torch.device("meta"):
        return count_parameters(LanguageModel(variant))


@pytest.mark.row("R1-13")
@pytest.mark.parametrize(
    ("tied", "unique", "embedding"),
    [(True, 596_049_920, 155_582_464), (False, 751_632_384, 311_164_928)],
    ids=["tied", "untied"],
)
def test_a_tied_table_is_counted_once_and_shown_twice(tied, unique, embedding):
    counts = count(spec("qwen3-0.6b", tie_embeddings=tied))
    assert (counts.total, counts.unique, counts.active) == (751_632_384, unique, unique)
    assert (counts.embedding, counts.non_embedding) == (embedding, 440_467_456)


@pytest.mark.row("R1-13")
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_counts_are_those_of_the_tensors_in_memory(tied):
    model = LanguageModel(spec("tiny", tie_embeddings=tied)).initialize(0)
    storages = {p.data_ptr(): p.numel() for p in model.parameters()}
    named = sum(tensor.numel() for tensor in model.state_dict().values())
    counts = count_parameters(model)
    assert (counts.unique, counts.total) == (sum(storages.values()), named)


@pytest.mark.row("R1-13")
def test_experts_that_a_token_does_not_meet_are_not_active():
    experts = {"name": "moe", "n_experts": 8, "top_k": 3, "d_ff": 96}
    counts = count(spec("tiny", ffn=experts))
    assert counts.unique - counts.active == 4 * (8 - 3) * 3 * 128 * 96


def test_the_price_of_a_variant_has_the_same_counts():
    for name in ("tiny", "tiny-moe"):
        counts, cost = count(spec(name)), measure_cost(spec(name), 16)
        told = (cost.params, cost.params_active, cost.params_non_embedding)
        assert told == (counts.unique, counts.active, counts.non_embedding)
