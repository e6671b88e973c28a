"""What is measured of activations is what flows, over real tokens alone, and disturbs nothing."""

import numpy as np
import pytest
import torch

from harness.core.cross_entropy import token_losses
from harness.core.slots import BLOCK
from harness.data.dataset import HeldOut
from harness.training.evaluation import Evaluator

CPU = torch.device("cpu")
KINDS = ["residual", "attention", "ffn"]


@pytest.fixture
def model(lab):
    return lab.new_model(n_layers=3, init={"std": 0.3}).eval()


@torch.no_grad()
def by_hand(model, held_out, seq_len):
    """Collect, document by document, what modules return: tokens by channels, by (kind, layer)."""
    seen = {}
    hooks = []
    for i, block in enumerate(model.blocks):
        for kind, module in zip(KINDS, (block, block.attention, block.ffn), strict=True):
            keep = lambda *call, key=(kind, i): seen.setdefault(key, []).append(call[2][0])  # noqa: E731
            hooks.append(module.register_forward_hook(keep))
    for document in held_out:
        for tokens, _ in document.windows(seq_len):
            model(torch.from_numpy(tokens)[None])
    for hook in hooks:
        hook.remove()
    return {key: torch.cat(parts) for key, parts in seen.items()}


@pytest.mark.parametrize("rows", [1, 3])
def test_rms_and_maximum_are_those_of_all_held_out_tokens(lab, model, rows):
    documents = [HeldOut(d.id, np.where(d.tokens, d.tokens, 1), 9) for d in lab.held_out]
    assert len({len(document.tokens) for document in documents}) > 1  # so that rows are padded
    with torch.no_grad():
        model.embedding.weight[0] *= 100  # of the padding, which must not count
    found = Evaluator(documents, 7, rows, CPU)(model).activations
    assert list(found) == KINDS
    expected = by_hand(model, documents, 7)
    for kind in KINDS:
        of_kind = [expected[kind, i] for i in range(3)]
        rms = [x.double().square().mean().sqrt().item() for x in of_kind]
        assert found[kind]["rms"] == pytest.approx(rms, rel=1e-5)
        assert found[kind]["max"] == pytest.approx([x.abs().max().item() for x in of_kind])


def test_tokens_count_whether_or_not_they_are_scored(lab, model):
    document = lab.held_out[0]
    scored = document.tokens[1:] % 3 == 0
    answers = HeldOut("answers", document.tokens, 0, scored)
    whole, part = (Evaluator([one], 16, 4, CPU)(model) for one in (document, answers))
    assert part.n_tokens == scored.sum() < whole.n_tokens
    assert part.activations == whole.activations


@torch.no_grad()
def test_losses_are_to_the_bit_those_of_an_evaluation_that_measures_nothing(lab, model):
    evaluator = Evaluator(lab.held_out, 7, 3, CPU)
    nats = torch.zeros(len(lab.held_out), dtype=torch.float64)
    for batch in evaluator.batches:
        hidden, _ = model.hidden(batch.tokens)
        losses, _ = token_losses(hidden.flatten(0, 1), model.head, batch.targets.flatten())
        nats.index_add_(0, batch.document, losses.double().view(batch.targets.shape).sum(1))
    assert evaluator(model).nats == tuple(nats.tolist())


def test_the_model_is_left_without_hooks(lab, model):
    lab.evaluator(model)
    assert not [m for m in model.modules() if m._forward_hooks]


def test_each_evaluation_measures_anew(lab, model):
    first, second = lab.evaluator(model), lab.evaluator(model)
    assert first.activations == second.activations
    with torch.no_grad():
        model.blocks[0].ffn.down_proj.weight.mul_(2)
    changed = lab.evaluator(model).activations["ffn"]
    assert changed["rms"][0] == pytest.approx(2 * first.activations["ffn"]["rms"][0])
    assert changed["max"][0] == pytest.approx(2 * first.activations["ffn"]["max"][0])


@pytest.mark.parametrize("name", list(BLOCK))
@torch.no_grad()
def test_what_a_block_adds_to_the_stream_is_what_is_measured(lab, name):
    """A block that normalises or scales what its sublayers return writes something else."""
    model = lab.new_model(block=name, init={"std": 0.3}).eval()
    block, seen = model.blocks[0], {}
    kinds = {**block.writers, "residual": ""}
    for kind, module in kinds.items():
        keep = lambda *call, kind=kind: seen.update({kind: (call[1][0], call[2])})  # noqa: E731
        block.get_submodule(module).register_forward_hook(keep)
    if name == "post_norm":  # normalises the sum
        block.attention_norm = block.ffn_norm = torch.nn.Identity()
    tokens = torch.arange(12)[None]
    model(tokens)
    before, after = seen["residual"]
    torch.testing.assert_close(after, before + seen["attention"][1] + seen["ffn"][1])


def test_the_summary_is_of_the_residual_stream(lab, model):
    evaluation = lab.evaluator(model)
    stream = evaluation.activations["residual"]
    assert evaluation.sizes() == {
        "activation_rms_max": max(stream["rms"]),
        "activation_max": max(stream["max"]),
    }
    assert (
        evaluation.to_point().items()
        >= {
            **evaluation.metrics(),
            "activations": evaluation.activations,
        }.items()
    )
