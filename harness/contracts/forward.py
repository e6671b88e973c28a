"""Shape, time and batch: what a component may look at."""

import torch

from harness.contracts.subject import (
    LENGTH,
    VOCAB_SIZE,
    Subject,
    distance,
    embedded,
    logits,
    tokens,
)
from harness.core.causality import find_leak


def keeps_shape(subject: Subject) -> None:
    """Batches of any length keep their shape, and stay float32."""
    model = subject.model()
    assert logits(model, tokens()).shape == (2, LENGTH, VOCAB_SIZE)
    assert logits(model, tokens(1, 1)).shape == (1, 1, VOCAB_SIZE)
    hidden, _ = model.hidden(tokens())
    assert hidden.shape == (2, LENGTH, 32) and hidden.dtype == torch.float32


def never_looks_ahead(subject: Subject) -> None:
    """Outputs before a position do not change with the tokens from it on, those from it on do."""
    model, batch = subject.model(), tokens()
    leak = find_leak(model, batch, (1, 6, LENGTH - 1), edited=1e-6)
    assert leak is None, str(leak)
    before = logits(model, batch)
    for t in (1, 6, LENGTH - 1):
        edited = batch.clone()
        edited[:, t:] = (edited[:, t:] + 7) % VOCAB_SIZE
        moved = (logits(model, edited) - before).abs().amax(dim=(0, 2))[t:]
        assert moved.min() > 1e-4, f"edited tokens leave their own output at {t} as it was"
        shorter = logits(model, batch[:, :t])
        assert distance(shorter, before[:, :t]) <= 1e-5, "length changes the past"


def past_has_no_gradient_from_the_future(subject: Subject) -> None:
    """Outputs before a position have no gradient by the tokens from it on."""
    leaf, out = embedded(subject.model(), tokens())
    for t in (1, 6, LENGTH - 1):
        (grad,) = torch.autograd.grad(out[:, :t].square().sum(), leaf, retain_graph=True)
        assert not grad[:, t:].any(), f"outputs before {t} depend on tokens from {t} on"
        assert grad[:, t - 1].any(), "outputs do not depend on their own token"


def treats_rows_alone(subject: Subject) -> None:
    """A row of a batch is computed as if it were alone."""
    model, batch = subject.model(), tokens(3)
    together = logits(model, batch)
    for row in range(3):
        assert distance(logits(model, batch[row : row + 1]), together[row : row + 1]) <= 1e-5
    leaf, out = embedded(model, batch)
    (grad,) = torch.autograd.grad(out[1].square().sum(), leaf)
    assert not grad[[0, 2]].any(), "a row depends on another row"


def keeps_documents_apart(subject: Subject) -> None:
    """Tokens of a document do not change those of another in the same row."""
    model, batch = subject.model(), tokens()
    documents = torch.tensor([[0] * 5 + [1] * 8, [0] * 9 + [1] * 4])
    edited = batch.clone()
    edited[0, :5], edited[1, :9] = (batch[0, :5] + 3) % VOCAB_SIZE, (batch[1, :9] + 3) % VOCAB_SIZE
    padded = torch.ones_like(batch, dtype=torch.bool)
    padded[:, [0, 5, 9]] = False  # documents begin with padding
    for valid in (None, padded):
        given = {"documents": documents, "valid": valid}
        before, after = (logits(model, b, **given) for b in (batch, edited))
        first, second = ((documents == i) & (padded | (valid is None)) for i in (0, 1))
        assert distance(after[second], before[second]) <= 1e-6
        assert distance(after[first], before[first]) > 1e-3


def documents_are_runs(subject: Subject) -> None:
    """The same id after another one is another document."""
    model, batch = subject.model(), tokens()
    apart, again = (torch.tensor([[0] * 4 + [1] * 4 + [last] * 5] * 2) for last in (2, 0))
    assert torch.equal(logits(model, batch, documents=again), logits(model, batch, documents=apart))


def padding_changes_nothing(subject: Subject) -> None:
    """Padding on either side changes no real token, nor the loss."""
    model, batch = subject.model(), tokens()
    lengths = (9, LENGTH)
    for side in ("left", "right"):
        padded, valid = torch.zeros_like(batch), torch.zeros_like(batch, dtype=torch.bool)
        for row, n in enumerate(lengths):
            place = slice(LENGTH - n, LENGTH) if side == "left" else slice(0, n)
            padded[row, place], valid[row, place] = batch[row, :n], True
        out = logits(model, padded, valid=valid)
        for row, n in enumerate(lengths):
            alone = logits(model, batch[row : row + 1, :n])[0]
            assert distance(out[row, valid[row]], alone) <= 1e-5, f"{side} padding is seen"
