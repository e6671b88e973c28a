"""Every held-out byte is scored once, by the loss that the model has on it."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from harness.data.dataset import HeldOut
from harness.training.evaluation import Evaluation, Evaluator

CPU = torch.device("cpu")


@torch.no_grad()
def nats_by_hand(model, document, seq_len):
    """Sum the losses of a document, window by window, one at a time."""
    total, scored = 0.0, 0
    tokens = torch.from_numpy(document.tokens).long()
    for start in range(0, len(tokens) - 1, seq_len):
        window = tokens[start : start + seq_len + 1]
        logits = model.eval()(window[None, :-1])[0]
        total += F.cross_entropy(logits.double(), window[1:], reduction="sum").item()
        scored += len(window) - 1
    assert scored == len(tokens) - 1
    return total


@pytest.mark.parametrize("seq_len", [5, 7, 16])
@pytest.mark.parametrize("rows", [1, 3, 32])
def test_each_document_gets_the_nats_of_all_its_tokens(lab, seq_len, rows):
    evaluation = Evaluator(lab.held_out, seq_len, rows, CPU)(lab.model)
    by_hand = [nats_by_hand(lab.model, document, seq_len) for document in lab.held_out]
    assert evaluation.nats == pytest.approx(by_hand, rel=1e-5)
    assert evaluation.n_tokens == sum(len(d.tokens) - 1 for d in lab.held_out)
    assert evaluation.n_bytes == tuple(d.n_bytes for d in lab.held_out)


@pytest.mark.row("R4-07")
@pytest.mark.parametrize("rows", [1, 32])
@torch.no_grad()
def test_losses_are_told_apart_by_position(lab, rows):
    seq_len, at = 12, {0: [], 1: [], 2: [], 4: [], 8: []}
    for document in lab.held_out:
        tokens = torch.from_numpy(document.tokens).long()
        for start in range(0, len(tokens) - 1, seq_len):
            window = tokens[start : start + seq_len + 1]
            logits = lab.model.eval()(window[None, :-1])[0]
            for position, nats in enumerate(F.cross_entropy(logits, window[1:], reduction="none")):
                at[max(first for first in at if first <= position)].append(nats.item())
    evaluation = Evaluator(lab.held_out, seq_len, rows, CPU)(lab.model)
    by_hand = {first: sum(nats) / len(nats) for first, nats in at.items()}
    assert evaluation.loss_by_position == pytest.approx(by_hand, rel=1e-5)


def test_positions_that_no_text_reaches_have_no_loss(lab):
    short = HeldOut("short", lab.held_out[0].tokens[:4], 3)
    evaluation = Evaluator([short], 64, 4, CPU)(lab.model)
    assert list(evaluation.loss_by_position) == [0, 1, 2]


def test_accuracy_is_the_share_of_tokens_that_were_the_likeliest(lab):
    document = lab.held_out[0]
    tokens = torch.from_numpy(document.tokens).long()
    with torch.no_grad():
        right = lab.model(tokens[None, :-1]).argmax(-1)[0] == tokens[1:]
    evaluation = Evaluator([document], 64, 4, CPU)(lab.model)
    assert evaluation.n_correct == int(right.sum())
    assert evaluation.val_accuracy == float(right.float().mean())


def test_the_metrics_by_hand():
    evaluation = Evaluation(nats=(6.0, 2.0), n_bytes=(10, 6), n_tokens=4, n_correct=1)
    assert evaluation.val_loss == 2.0
    assert evaluation.val_bpb == pytest.approx(8 / 16 / math.log(2))
    assert evaluation.val_perplexity == pytest.approx(math.exp(2.0))
    assert evaluation.val_accuracy == 0.25
    assert list(evaluation.metrics()) == ["val_loss", "val_bpb", "val_accuracy", "val_perplexity"]


@pytest.mark.row("R4-25")
@pytest.mark.parametrize(("loss", "perplexity"), [(4.489310, 89.06), (7.199716, 1339.05)])
def test_perplexity_is_the_exponential_of_the_loss(loss, perplexity):
    evaluation = Evaluation(nats=(3 * loss,), n_bytes=(9,), n_tokens=3, n_correct=0)
    assert evaluation.val_perplexity == pytest.approx(perplexity, abs=0.005)


@pytest.mark.row("R4-25")
def test_three_tokens_by_hand(lab):
    """Scores of ln 2, ln 3 and 0 for the ids 0, 1 and 2 have probabilities 2/6, 3/6 and 1/6."""
    model = lab.new_model(vocab_size=3, tie_embeddings=False)
    with torch.no_grad():
        model.norm.weight.zero_()
        model.norm.weight[0] = 1.0
        model.embedding.weight[:, 0] = 100.0  # so that the first channel's sign is known
        model.head.weight.zero_()
        model.head.weight[:, 0] = torch.tensor([2.0, 3.0, 1.0]).log()
    document = HeldOut("three", np.array([0, 1, 0, 2]), 5)
    (batch,) = Evaluator([document], 8, 1, CPU).batches
    scale = model.hidden(batch.tokens)[0][..., 0]
    with torch.no_grad():
        model.norm.weight[0] /= scale.mean()
    assert scale.std() < 1e-4 * scale.mean()
    evaluation = Evaluator([document], 8, 1, CPU)(model)
    nats = -(math.log(3 / 6) + math.log(2 / 6) + math.log(1 / 6))
    assert evaluation.val_loss == pytest.approx(nats / 3, rel=1e-4)
    assert evaluation.val_accuracy == 1 / 3
    assert evaluation.val_perplexity == pytest.approx(36 ** (1 / 3), rel=1e-4)
    assert evaluation.val_bpb == pytest.approx(math.log2(36) / 5, rel=1e-4)


def test_the_busiest_expert_by_hand():
    counts = {0: (30, 10, 20, 0), 3: (5, 5)}
    evaluation = Evaluation((6.0,), (10,), n_tokens=60, n_correct=1, expert_tokens=counts)
    assert evaluation.expert_load_max == pytest.approx((2.0 + 1.0) / 2)
    assert evaluation.metrics()["expert_load_max"] == evaluation.expert_load_max


@pytest.mark.row("R2-21")
@pytest.mark.parametrize("rows", [1, 32])
def test_each_scored_token_is_counted_at_each_of_its_experts(lab, rows):
    moe = {"name": "moe", "n_experts": 5, "top_k": 3}
    model = lab.new_model(ffn=["swiglu", moe], n_layers=4, init={"std": 0.3})
    evaluation = Evaluator(lab.held_out, 7, rows, CPU)(model)
    assert list(evaluation.expert_tokens) == [1, 3]
    for layer_idx, counts in evaluation.expert_tokens.items():
        assert sum(counts) == 3 * evaluation.n_tokens
        assert list(counts) == chosen_by_hand(model, lab.held_out, layer_idx, 7)


@torch.no_grad()
def chosen_by_hand(model, held_out, layer_idx, seq_len):
    """Count the three highest scores of each token, window by window."""
    counts = torch.zeros(5, dtype=torch.long)

    def count(_router, _inputs, scores):
        for token in scores.flatten(0, 1):
            counts[token.sort(descending=True).indices[:3]] += 1

    with model.eval().blocks[layer_idx].ffn.router.register_forward_hook(count):
        for document in held_out:
            tokens = torch.from_numpy(document.tokens).long()
            for start in range(0, len(tokens) - 1, seq_len):
                model(tokens[None, start : start + seq_len + 1][:, :-1])
    return counts.tolist()


def test_a_huge_loss_has_a_finite_perplexity():
    assert math.isfinite(Evaluation((1e6,), (1,), 1, 0).val_perplexity)


def test_a_uniform_model_pays_log_of_the_vocabulary(lab):
    with torch.no_grad():
        lab.model.head.weight.zero_()
    evaluation = lab.evaluator(lab.model)
    assert evaluation.val_loss == pytest.approx(math.log(lab.vocab_size))


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_is_restored(lab, training):
    lab.model.train(training)
    lab.evaluator(lab.model)
    assert lab.model.training is training


def test_padding_changes_nothing(lab):
    short, long = lab.held_out[2], lab.held_out[0]
    alone = Evaluator([short], 16, 4, CPU)(lab.model)
    beside = Evaluator([short, long, HeldOut("x", long.tokens[:3], 2)], 16, 4, CPU)(lab.model)
    assert beside.nats[0] == pytest.approx(alone.nats[0], rel=1e-6)


def test_a_model_is_scored_as_it_is_used(lab):
    modes = []
    lab.model.blocks[0].register_forward_pre_hook(lambda block, _: modes.append(block.training))
    lab.evaluator(lab.model.train())
    assert set(modes) == {False}
