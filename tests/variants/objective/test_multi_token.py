"""Predicting several tokens ahead, against a loop over positions."""

import pytest
import torch
import torch.nn.functional as F

from harness.contracts.subject import LENGTH, Subject, distance, logits, tokens, with_partners
from harness.core.context import Context
from harness.core.slots import ATTENTION, BLOCK

IGNORE = -100


def built(depth=2, weight=0.3, **changes):
    return Subject("objective", "multi_token", {"depth": depth, "weight": weight}).model(**changes)


def by_hand(model, batch, targets, depth, weight, documents=None):
    """Run one document at a time, and cut what a module reads to the tokens that have a target."""
    documents = torch.zeros_like(batch) if documents is None else documents
    next_token, ahead = [], [[] for _ in range(depth)]
    for row, of_row, ids in zip(batch, targets, documents, strict=True):
        for document in ids.unique():
            piece, wanted = row[ids == document][None], of_row[ids == document][None]
            hidden, context = model.hidden(piece)
            next_token.append((model.head(hidden), wanted))
            embedded = context.published("embedding")[0]
            for k, module in enumerate(model.objective.ahead[: piece.shape[1] - 1], start=1):
                length = piece.shape[1] - k
                first = module.hidden_norm(hidden[:, :length])
                joined = torch.cat((first, module.embedding_norm(embedded[:, k:])), dim=-1)
                hidden = module.block(
                    joined @ module.join.weight.T, Context(torch.arange(length)[None])
                )
                ahead[k - 1].append((model.head(module.norm(hidden)), wanted[:, k:]))
    return mean_loss(next_token) + weight * sum(map(mean_loss, ahead)) / depth


def mean_loss(pairs):
    if all((targets == IGNORE).all() for _, targets in pairs):  # or there are none
        return torch.zeros(())
    found = torch.cat([logits.flatten(0, 1) for logits, _ in pairs])
    wanted = torch.cat([targets.flatten() for _, targets in pairs])
    return F.cross_entropy(found, wanted, ignore_index=IGNORE)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_loss_and_gradients_are_those_of_a_loop(depth):
    model, batch, targets = built(depth), tokens(), tokens(seed=4)
    targets[0, 4] = targets[1, 9:] = IGNORE
    expected = by_hand(model, batch, targets, depth, 0.3)
    loss = model.loss(batch, targets)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    ours = torch.autograd.grad(loss, list(model.parameters()))
    theirs = torch.autograd.grad(expected, list(model.parameters()))
    for mine, exact in zip(ours, theirs, strict=True):
        assert distance(mine, exact) <= 1e-4


def test_documents_end_what_can_be_predicted():
    model, batch, targets = built(depth=2), tokens(1), tokens(1, seed=4)
    documents = torch.tensor([[0] * 5 + [1] * 2 + [2] * 6])
    loss = model.loss(batch, targets, documents=documents)
    expected = by_hand(model, batch, targets, 2, 0.3, documents)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    assert distance(loss, model.loss(batch, targets)) > 1e-4


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_predicts_nothing_and_is_not_predicted(side):
    model, batch, targets = built(depth=2), tokens(1, 9), tokens(1, 9, seed=4)
    pad = (4, 0) if side == "left" else (0, 4)
    valid = F.pad(torch.ones(1, 9, dtype=torch.bool), pad)
    padded_targets = F.pad(targets, pad, value=IGNORE)
    for filler in (0, 60):
        padded = F.pad(batch, pad, value=filler)
        loss = model.loss(padded, padded_targets, valid=valid)
        torch.testing.assert_close(loss, model.loss(batch, targets), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("side", ["left", "right"])
def test_routers_of_the_modules_count_no_padding(side):
    model, batch, targets = built(depth=2, ffn={"name": "moe"}), tokens(1, 9), tokens(1, 9, seed=4)
    pad = (4, 0) if side == "left" else (0, 4)
    valid = F.pad(torch.ones(1, 9, dtype=torch.bool), pad)
    padded = F.pad(batch, pad, value=60), F.pad(targets, pad, value=IGNORE)
    alone, beside = model.losses(batch, targets), model.losses(*padded, valid=valid)
    torch.testing.assert_close(beside.auxiliary, alone.auxiliary, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_sequences_too_short_for_all_modules_are_no_error(length):
    model, batch, targets = built(depth=3), tokens(2, length), tokens(2, length, seed=4)
    loss = model.loss(batch, targets)
    expected = by_hand(model, batch, targets, 3, 0.3)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    loss.backward()
    unused = model.objective.ahead[length - 1].join.weight.grad
    assert not unused.any()


def test_no_weight_leaves_the_next_token():
    model, batch, targets = built(weight=0.0), tokens(), tokens(seed=4)
    expected = F.cross_entropy(model(batch).flatten(0, 1), targets.flatten())
    torch.testing.assert_close(model.loss(batch, targets), expected, rtol=1e-5, atol=1e-6)


def test_a_module_is_told_the_token_that_it_reads_and_not_the_one_it_predicts():
    """At position 7 the second module reads token 9, and predicts token 10."""
    model, batch = built(depth=2), tokens()
    targets = torch.full_like(batch, IGNORE)
    targets[:, 9] = 5
    model.objective.weight = 1e6  # next to which the next token's loss is nothing
    leaf = []

    def cut(_module, _inputs, out):
        leaf.append(out.detach().requires_grad_())
        return leaf[-1]

    model.embedding.register_forward_hook(cut)
    loss = model.loss(batch, targets)
    (grad,) = torch.autograd.grad(loss, leaf)
    assert not grad[:, 10:].any() and grad[:, 9].any()


def test_text_is_generated_without_the_modules():
    model = built()
    expected = logits(model, tokens())
    with torch.no_grad():
        for parameter in model.objective.parameters():
            parameter.fill_(float("nan"))
    assert torch.equal(logits(model, tokens()), expected)
    assert len(model.new_caches(2, LENGTH)) == 2


def test_each_module_has_a_block_like_the_layer_that_would_follow():
    model = built(depth=2, ffn=["swiglu", "gelu"], n_layers=3)
    layers = [*model.blocks, *(module.block for module in model.objective.ahead)]
    kinds = [type(block.ffn).__name__ for block in layers]
    assert kinds == ["SwiGLU", "GELU", "SwiGLU", "GELU", "SwiGLU"]


def test_post_normed_blocks_are_not_normed_again():
    model = built(block="post_norm")
    assert not list(model.objective.ahead[0].norm.parameters())
    loss = model.loss(tokens(), tokens(seed=4))
    expected = by_hand(model, tokens(), tokens(seed=4), 2, 0.3)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("slot", "name"),
    [*(("attention", name) for name in ATTENTION), *(("block", name) for name in BLOCK)],
)
def test_any_block_serves(slot, name):
    subject = with_partners(Subject(slot, name))
    model = subject.model(objective={"name": "multi_token", "depth": 2})
    loss = model.loss(tokens(), tokens(seed=4))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.any() for p in model.objective.parameters())


def test_experts_inside_are_balanced_with_those_of_the_model():
    moe = {"name": "moe", "n_experts": 4, "balance_loss": 1.0, "bias_rate": 0.5}
    model, scores = built(depth=1, ffn=moe), []
    mixtures = [block.ffn for block in [*model.blocks, model.objective.ahead[0].block]]
    for mixture in mixtures:
        mixture.router.register_forward_hook(lambda _, __, out: scores.append(out.detach()))
    losses = model.train().losses(tokens(), tokens(seed=4))
    flat = torch.cat([layer.flatten(0, 1) for layer in scores])
    assert len(flat) == 3 * 2 * LENGTH
    share = F.one_hot(flat.topk(2).indices, 4).sum(1).float().mean(0)
    expected = 4 * (share * flat.softmax(-1).mean(0)).sum()
    torch.testing.assert_close(losses.auxiliary, expected, rtol=1e-6, atol=1e-6)
    assert all(mixture.choice_bias.any() for mixture in mixtures)
    losses.total.backward()
    assert mixtures[2].router.weight.grad.any()
