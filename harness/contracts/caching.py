"""Caches: what is generated must be what was trained."""

import torch
from torch import Tensor

from harness.contracts.subject import (
    LENGTH,
    Subject,
    distance,
    logits,
    tokens,
)
from harness.core.cache import CacheFull
from harness.errors import AblateError


def cached_equals_uncached(subject: Subject) -> None:
    """Tokens that come in pieces through a cache give what they give at once."""
    model, batch = subject.model(), tokens()
    whole = logits(model, batch)
    for chunks in ([1] * LENGTH, [5, 1, 7], [LENGTH]):
        caches = model.new_caches(2, LENGTH)
        parts = [logits(model, part, caches=caches) for part in batch.split(chunks, dim=1)]
        assert distance(torch.cat(parts, dim=1), whole) <= 1e-5, f"in chunks of {chunks}"
        assert all(cache.lengths.tolist() == [LENGTH, LENGTH] for cache in caches)


def cached_rows_may_differ_in_length(subject: Subject) -> None:
    """Prompts of 3, 7 and 5 tokens padded on the right, then 4 tokens each, then 2 or none."""
    model, batch = subject.model(), tokens(3)
    prompts, caches = [3, 7, 5], model.new_caches(3, LENGTH)
    valid = torch.arange(7)[None] < torch.tensor(prompts)[:, None]
    padded = torch.where(valid, batch[:, :7], 0)
    prefilled = logits(model, padded, valid=valid, caches=caches)
    seen = [list(out[keep]) for out, keep in zip(prefilled, valid, strict=True)]
    for _ in range(4):
        step = torch.stack([batch[row, len(s)] for row, s in enumerate(seen)])[:, None]
        for s, out in zip(seen, logits(model, step, caches=caches)[:, 0], strict=True):
            s.append(out)
    idle = torch.tensor([[True, True], [False, False], [True, False]])
    step = torch.stack([batch[row, len(s) : len(s) + 2] for row, s in enumerate(seen)])
    out = logits(model, step, valid=idle, caches=caches)
    for row, s in enumerate(seen):
        s += list(out[row, idle[row]])
        assert distance(torch.stack(s), logits(model, batch[row : row + 1, : len(s)])[0]) <= 1e-5
    assert caches[0].lengths.tolist() == [9, 11, 10]


def caches_are_strangers(subject: Subject) -> None:
    """Two caches used in turn, and the model used without one in between."""
    model, batches = subject.model(), (tokens(), tokens(seed=5))
    caches = [model.new_caches(2, LENGTH) for _ in batches]
    parts: list[list[Tensor]] = [[], []]
    for start in range(0, LENGTH, 4):
        for i, batch in enumerate(batches):
            parts[i].append(logits(model, batch[:, start : start + 4], caches=caches[i]))
            logits(model, batch)
    for batch, part in zip(batches, parts, strict=True):
        assert distance(torch.cat(part, dim=1), logits(model, batch)) <= 1e-5


def reset_rows_start_afresh(subject: Subject) -> None:
    """A row that is reset is as if new, and the others go on."""
    model, batch, other = subject.model(), tokens(), tokens(seed=5)
    caches = model.new_caches(2, LENGTH)
    logits(model, batch[:, :6], caches=caches)
    for cache in caches:
        cache.reset([1])
    mixed = torch.stack([batch[0, 6:12], other[1, :6]])
    out = logits(model, mixed, caches=caches)
    assert distance(out[:1], logits(model, batch)[:1, 6:12]) <= 1e-5
    assert distance(out[1:], logits(model, other)[1:, :6]) <= 1e-5
    for cache in caches:
        cache.reset()
    assert distance(logits(model, other, caches=caches), logits(model, other)) <= 1e-5


def inserted_rows_go_on(subject: Subject) -> None:
    """A row prefilled on its own joins a batch whose other row is further along."""
    model, batch, others = subject.model(), tokens(), tokens(seed=5)
    caches, prefilled = model.new_caches(2, LENGTH), model.new_caches(2, LENGTH)
    logits(model, batch[:, :3], caches=caches)
    logits(model, others[:, :8], caches=prefilled)
    for cache, source in zip(caches, prefilled, strict=True):
        cache.insert(1, source, 0)
        cache.insert(1, source, 1)
    other = others[1:]
    assert caches[0].lengths.tolist() == [3, 8]
    out = logits(model, torch.stack([batch[0, 3:8], other[0, 8:]]), caches=caches)
    assert distance(out[:1], logits(model, batch)[:1, 3:8]) <= 1e-5
    assert distance(out[1:], logits(model, other)[:, 8:]) <= 1e-5


def cropped_caches_forget(subject: Subject) -> None:
    """Crop to what is wanted, or say that it cannot be done."""
    model, batch, other = subject.model(), tokens(), tokens(seed=5)
    caches = model.new_caches(2, LENGTH)
    logits(model, batch[:, :10], caches=caches)
    for cache in caches:
        cache.crop(torch.tensor([10, 12]))
        assert cache.lengths.tolist() == [10, 10], "cropping lengthens"
    try:
        for cache in caches:
            cache.crop(torch.tensor([7, 4]))
    except AblateError:
        return
    out = logits(model, torch.stack([other[0, 7:12], other[1, 4:9]]), caches=caches)
    edited = batch.clone()
    edited[0, 7:], edited[1, 4:] = other[0, 7:], other[1, 4:]
    whole = logits(model, edited)
    assert distance(out[:1], whole[:1, 7:12]) <= 1e-5
    assert distance(out[1:], whole[1:, 4:9]) <= 1e-5


def full_caches_say_so(subject: Subject) -> None:
    """More tokens than room: an error for the user that leaves the cache as it was.

    Padding needs no room.
    """
    model, batch = subject.model(), tokens()
    caches = model.new_caches(2, 8)
    logits(model, batch[:, :6], caches=caches)
    try:
        out = logits(model, batch[:, 6:9], caches=caches)
    except CacheFull as error:
        assert "8 tokens" in str(error)
        out = logits(model, batch[:, 6:8], caches=caches)
    n = out.shape[1]
    assert distance(out, logits(model, batch)[:, 6 : 6 + n]) <= 1e-5
    padded, valid = model.new_caches(2, 8), torch.tensor([[True, True, False]] * 2)
    logits(model, batch[:, :6], caches=padded)
    out = logits(model, batch[:, 6:9], caches=padded, valid=valid)
    assert distance(out[:, :2], logits(model, batch)[:, 6:8]) <= 1e-5
