"""Embedding, blocks, final norm and head: what all from-scratch Qwen3 projects describe alike."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from harness.contracts.subject import TINY, VOCAB_SIZE, distance, lively, logits, tokens
from harness.core.context import Context
from harness.core.counts import count_parameters
from harness.core.model import LanguageModel
from harness.core.slots import Position
from harness.core.spec import VariantSpec
from variants.presets import preset


def spec(**changes):
    return VariantSpec.read({**TINY, **changes})


def model(**changes):
    return lively(LanguageModel(spec(**changes)))


def on_meta(variant):
    with torch.device("meta"):
        return LanguageModel(variant)


@pytest.mark.row("R0-01")
def test_the_embedding_of_an_id_is_its_row():
    embedding = model().embedding
    batch = torch.arange(VOCAB_SIZE).flip(0)[None]
    assert embedding.weight.shape == (VOCAB_SIZE, 32)
    assert torch.equal(embedding(batch, Context(batch))[0], embedding.weight.flip(0))


@pytest.mark.row("R0-02")
def test_a_tied_head_is_the_embedding_and_an_untied_one_is_not():
    tied, untied = model(tie_embeddings=True), model(tie_embeddings=False)
    assert tied.head.weight is tied.embedding.weight
    assert untied.head.weight.data_ptr() != untied.embedding.weight.data_ptr()
    table = VOCAB_SIZE * 32
    counts = [sum(p.numel() for p in m.parameters()) for m in (untied, tied)]
    assert counts[0] - counts[1] == table
    with torch.no_grad():
        tied.embedding.weight[3] += 1.0
        untied.embedding.weight[3] += 1.0
    assert torch.equal(tied.head.weight, tied.embedding.weight)
    assert not torch.equal(untied.head.weight, untied.embedding.weight)


@pytest.mark.row("R4-14")
def test_tying_saves_one_table_of_vocabulary_by_width():
    written = preset("reference-4")
    tied, untied = (
        count_parameters(on_meta(VariantSpec.read({**written, "tie_embeddings": tie})))
        for tie in (True, False)
    )
    assert untied.unique - tied.unique == 49_152 * 128 == 6_291_456
    assert (tied.unique, untied.unique, tied.total) == (7_029_824, 13_321_280, 13_321_280)


@pytest.mark.row("R0-03")
@pytest.mark.parametrize("n_layers", [1, 2, 3, 4])
def test_there_are_as_many_blocks_as_asked_for_and_each_has_its_say(n_layers):
    network, batch = model(n_layers=n_layers), tokens()
    called = []
    for i, block in enumerate(network.blocks):
        block.register_forward_hook(lambda *_, i=i: called.append(i))
    assert logits(network, batch).shape == (2, 13, VOCAB_SIZE)
    assert called == list(range(n_layers))


@pytest.mark.row("R0-04")
def test_layers_come_in_the_order_of_qwen3():
    network, called = model(), []
    names = ["attention_norm", "attention", "ffn_norm", "ffn"]
    layers = [f"blocks.{i}.{name}" for i in range(2) for name in names]
    order = ["embedding", *layers, "norm", "head"]
    for name in order:
        hook = lambda *_, name=name: called.append(name)  # noqa: E731
        network.get_submodule(name).register_forward_hook(hook)
    logits(network, tokens())
    assert called == order


@pytest.mark.row("R0-07")
def test_a_block_whose_sublayers_write_nothing_is_the_identity():
    network = lively(LanguageModel(spec(init={"std": 0.3, "outputs": "zero"})))
    seen = []
    for block in network.blocks:
        block.register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    logits(network, tokens())
    assert len(seen) == 2
    for before, after in seen:
        assert torch.equal(before, after) and before.abs().max() > 0.1


@pytest.mark.row("R0-24")
def test_the_head_reads_the_normalised_stream_and_gives_a_score_for_every_id():
    network, stream = model(tie_embeddings=False), []
    network.blocks[-1].register_forward_hook(lambda *call: stream.append(call[2]))
    out = logits(network, tokens(3, 7))
    assert out.shape == (3, 7, VOCAB_SIZE) and out.dtype == torch.float32
    x = stream[0]
    normed = network.norm.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
    assert distance(out, normed @ network.head.weight.T) <= 1e-5


class Calls(TorchDispatchMode):
    """Counts the operations of a name."""

    def __init__(self, *names):
        super().__init__()
        self.counts = dict.fromkeys(names, 0)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in self.counts:
            self.counts[name] += 1
        return func(*args, **kwargs or {})


@pytest.mark.row("R1-11")
@pytest.mark.parametrize("n_layers", [1, 3])
def test_all_layers_share_one_pair_of_rotation_tables_and_none_is_stored(n_layers):
    network = model(n_layers=n_layers)
    with Calls("cos", "sin") as calls:
        logits(network, tokens())
    assert calls.counts == {"cos": 1, "sin": 1}
    stored = {**dict(network.named_buffers()), **network.state_dict()}
    assert not [name for name in stored if not name.endswith("weight")]


@pytest.mark.row("R1-11")
def test_a_block_normalises_what_its_sublayers_read_and_adds_what_they_write():
    network, seen = model(), {}
    block = network.blocks[0]
    for name in ("", "attention_norm", "attention", "ffn_norm", "ffn"):
        hook = lambda _, inputs, out, name=name: seen.update({name: (inputs[0], out)})  # noqa: E731
        block.get_submodule(name).register_forward_hook(hook)
    logits(network, tokens())
    x, out = seen[""]
    between = x + seen["attention"][1]
    assert torch.equal(seen["attention_norm"][0], x)
    assert torch.equal(seen["attention"][0], seen["attention_norm"][1])
    torch.testing.assert_close(seen["ffn_norm"][0], between)
    assert torch.equal(seen["ffn"][0], seen["ffn_norm"][1])
    torch.testing.assert_close(out, between + seen["ffn"][1])


@pytest.mark.row("R1-12")
def test_five_tokens_of_qwen3_give_finite_scores_for_its_whole_vocabulary():
    written = preset("qwen3-0.6b")
    narrow = VariantSpec.read(written).resized(d_model=32, n_layers=2, n_heads=8, d_ff=64)
    network = LanguageModel(narrow).initialize(0).eval()
    out = logits(network, torch.tensor([[1, 2, 3, 4, 5]]))
    assert out.shape == (1, 5, 151_936)
    assert out.isfinite().all() and out.std() > 0
    released = on_meta(VariantSpec.read(written))
    assert released(torch.ones(1, 5, dtype=torch.long, device="meta")).shape == (1, 5, 151_936)


@pytest.mark.row("R2-09")
@pytest.mark.parametrize("position", ["rope", "rope_interleaved", "none"])
def test_a_prompt_in_chunks_is_masked_as_the_prompt_in_one_piece(position):
    network, batch = model(position=position), tokens()
    whole = logits(network, batch)
    caches = network.new_caches(2, 13)
    chunks = [logits(network, part, caches=caches) for part in batch.split([5, 1, 7], dim=1)]
    assert distance(torch.cat(chunks, dim=1), whole) <= 1e-5


@pytest.mark.row("R3-13")
def test_a_block_of_the_llama_example_keeps_its_shape_and_knows_its_parts():
    written = {**preset("reference-3"), "n_layers": 1, "vocab_size": 8}
    network = LanguageModel(VariantSpec.read(written)).initialize(0).eval()
    block, seen = network.blocks[0], {}
    names = ["", "attention", "ffn", "attention_norm", "ffn_norm"]
    for name in names:
        hook = lambda *call, name=name: seen.update({name: tuple(call[2].shape)})  # noqa: E731
        block.get_submodule(name).register_forward_hook(hook)
    logits(network, torch.zeros(4, 128, dtype=torch.long))
    assert seen == dict.fromkeys(names, (4, 128, 1024))
    assert [b.attention.layer_idx for b in model(n_layers=3).blocks] == [0, 1, 2]


@pytest.mark.row("R3-16")
@torch.no_grad()
def test_interleaved_angles_are_powers_of_a_complex_rate_and_nothing_is_trained():
    network = model(position={"name": "rope_interleaved", "theta": 500.0}, max_seq_len=64)
    (rotation, *_) = (m for m in network.modules() if isinstance(m, Position))
    assert not list(rotation.parameters()) and not list(rotation.buffers())
    _, context = network.hidden(tokens(1, 64))
    x = torch.randn(1, 64, 4, 8, generator=torch.Generator().manual_seed(0))
    turned, _ = rotation.rotate(x, x, context)
    rates = 500.0 ** (-torch.arange(0, 8, 2) / 8)
    freqs = torch.polar(torch.ones(64, 4), torch.arange(64)[:, None] * rates)
    pairs = torch.view_as_complex(x.unflatten(-1, (4, 2)))
    by_hand = torch.view_as_real(pairs * freqs[None, :, None]).flatten(-2)
    torch.testing.assert_close(turned, by_hand, rtol=1e-5, atol=1e-5)


@pytest.mark.row("R2-25")
def test_norms_stand_where_the_projects_put_theirs():
    """norm1, norm2, final_norm, q_norm, k_norm: each normalises its own width."""
    network = model(n_heads=2, head_dim=24)
    widths = {"norm": 32}
    for i in range(2):
        widths |= {f"blocks.{i}.attention_norm": 32, f"blocks.{i}.ffn_norm": 32}
        widths |= {f"blocks.{i}.attention.{q}_norm": 24 for q in "qk"}
    norms = {n: m for n, m in network.named_modules() if n.endswith("norm")}
    assert {name: norm.weight.numel() for name, norm in norms.items()} == widths
    assert not any(isinstance(m, nn.LayerNorm) for m in norms.values())
