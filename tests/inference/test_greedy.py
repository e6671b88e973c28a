"""Greedy decoding gives what the model says, however it is computed."""

import pytest
import torch

from harness.contracts.subject import Subject, distance, logits, subjects, tokens
from harness.errors import AblateError
from harness.inference.greedy import greedy

N_NEW, MAX_SEQ_LEN = 64, 80
SUBJECTS = [s for s in subjects() if s.slot in {"attention", "ffn", "position"}]


@pytest.fixture
def model():
    return Subject("attention", "gqa").model(max_seq_len=MAX_SEQ_LEN)


@pytest.mark.row("R2-28")
@pytest.mark.row("R3-09")
@pytest.mark.parametrize("subject", SUBJECTS, ids=map(str, SUBJECTS))
def test_the_same_text_with_and_without_a_cache(subject):
    model, prompts = subject.model(max_seq_len=MAX_SEQ_LEN), tokens(2, 6)
    cached = greedy(model, prompts, N_NEW)
    assert cached.shape == (2, N_NEW)
    assert torch.equal(cached, greedy(model, prompts, N_NEW, use_cache=False))


@pytest.mark.parametrize("subject", SUBJECTS, ids=map(str, SUBJECTS))
def test_a_padded_prompt_is_answered_as_if_alone(subject):
    model, prompts, lengths = subject.model(), tokens(3, 9), [7, 3, 9]
    valid = torch.arange(9) < torch.tensor(lengths)[:, None]
    padded = torch.where(valid, prompts, 0)
    alone = [greedy(model, prompts[row : row + 1, :n], 12) for row, n in enumerate(lengths)]
    for use_cache in (True, False):
        together = greedy(model, padded, 12, valid=valid, use_cache=use_cache)
        assert torch.equal(together, torch.cat(alone))


def test_each_token_is_the_most_likely_one_after_all_before_it(model):
    prompts = tokens(2, 6)
    new = greedy(model, prompts, N_NEW)
    text = torch.cat((prompts, new), dim=1)
    assert torch.equal(logits(model, text)[:, 5:-1].argmax(-1), new)
    assert len(new.unique()) > 20, "a text that repeats itself would show little"


@pytest.mark.row("R0-25")
def test_stepping_tokens_equals_the_parallel_forward(model):
    batch = tokens(2, 24)
    caches = model.new_caches(2, 24)
    steps = [logits(model, batch[:, t : t + 1], caches=caches) for t in range(24)]
    assert distance(torch.cat(steps, dim=1), logits(model, batch)) <= 1e-5


def test_the_last_position_alone_goes_through_the_head(model):
    seen = []
    model.head.register_forward_hook(lambda module, inputs, out: seen.append(tuple(out.shape)))
    greedy(model, tokens(2, 6), 3)
    assert seen == [(2, 61)] * 3


@pytest.mark.row("R3-09")
@pytest.mark.parametrize("use_cache", [True, False])
def test_text_fills_all_positions_and_no_more(model, use_cache):
    prompts = tokens(2, 6)
    assert greedy(model, prompts, MAX_SEQ_LEN - 6, use_cache=use_cache).shape == (2, 74)
    with pytest.raises(AblateError, match=r"6 tokens and 75 new .* max_seq_len \(80\)"):
        greedy(model, prompts, MAX_SEQ_LEN - 5, use_cache=use_cache)


@pytest.mark.parametrize("use_cache", [True, False])
def test_padding_needs_no_room(model, use_cache):
    prompts, valid = tokens(1, 6), torch.arange(MAX_SEQ_LEN)[None] < 6
    padded = torch.nn.functional.pad(prompts, (0, MAX_SEQ_LEN - 6))
    new = greedy(model, padded, 5, valid=valid, use_cache=use_cache)
    assert torch.equal(new, greedy(model, prompts, 5))


def test_modules_go_back_to_the_mode_they_were_in(model):
    model.train()
    model.blocks[0].eval()
    before = [module.training for module in model.modules()]
    seen = []
    model.head.register_forward_hook(lambda module, inputs, out: seen.append(model.training))
    greedy(model, tokens(1, 4), 2)
    assert seen == [False, False]
    assert [module.training for module in model.modules()] == before
    with pytest.raises(AblateError):
        model.head.register_forward_hook(raises)
        greedy(model, tokens(1, 4), 2)
    assert [module.training for module in model.modules()] == before


def raises(*_):
    raise AblateError("in the middle")


def test_dropout_does_not_touch_the_text():
    subject = Subject("attention", "gqa")
    dry, wet = subject.model(), subject.model(dropout=0.5).train()
    assert torch.equal(greedy(wet, tokens(), 8), greedy(dry, tokens(), 8))


def test_the_text_can_be_trained_on(model):
    new = greedy(model.train(), tokens(2, 6), 9)
    model.loss(new[:, :-1], new[:, 1:]).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_nothing_is_asked_for_and_nothing_comes(model):
    assert greedy(model, tokens(2, 6), 0).shape == (2, 0)


@pytest.mark.parametrize(
    ("prompts", "valid", "n_new", "why"),
    [
        (torch.zeros(2, 0, dtype=torch.long), None, 3, "a token in each"),
        (torch.zeros(0, 4, dtype=torch.long), None, 3, "must be prompts"),
        (tokens(2, 3), torch.tensor([[True, True, False], [False] * 3]), 3, "a token in each"),
        (tokens(1, 3), torch.tensor([[False, True, True]]), 3, "must follow"),
        (tokens(1, 3), torch.tensor([[True, False, True]]), 3, "must follow"),
        (tokens(1, 3), None, -1, "n_new must be 0 or more"),
    ],
)
def test_what_cannot_be_answered_is_refused(model, prompts, valid, n_new, why):
    with pytest.raises(ValueError, match=why):
        greedy(model, prompts, n_new, valid=valid)
