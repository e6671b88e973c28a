"""Chunks and what is left across them, against products of decays written out."""

import pytest
import torch

from harness.core.context import Context
from harness.core.recurrence import document_starts, fading, from_chunks, full_precision, in_chunks

POSITIONS = torch.arange(6)[None]


def test_documents_start_where_ids_change():
    context = Context(POSITIONS, documents=torch.tensor([[3, 3, 1, 1, 1, 3]]))
    assert document_starts(context).tolist() == [[False, False, True, False, False, True]]
    assert document_starts(Context(POSITIONS)) is None


def test_padding_starts_no_document():
    valid = torch.tensor([[True, True, True, True, False, False]])
    context = Context(POSITIONS, valid, documents=torch.tensor([[3, 3, 1, 1, 0, 0]]))
    assert document_starts(context).tolist() == [[False, False, True, False, False, False]]


def test_a_document_that_begins_with_padding_is_started():
    valid = torch.tensor([[True, True, False, True, True, True]])
    context = Context(POSITIONS, valid, documents=torch.tensor([[3, 3, 1, 1, 0, 0]]))
    assert context.runs.tolist() == [[0, 0, 0, 1, 2, 2]]
    assert document_starts(context).tolist() == [[False, False, False, True, True, False]]


def test_padding_within_a_document_does_not_start_it_again():
    valid = torch.tensor([[True, True, False, True, True, True]])
    context = Context(POSITIONS, valid, documents=torch.tensor([[1, 1, 0, 1, 1, 2]]))
    assert context.runs.tolist() == [[0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("size", [1, 3, 4, 7])
def test_chunks_are_cut_and_joined_again(size):
    x = torch.arange(2 * 7 * 3 * 2.0).view(2, 7, 3, 2)
    chunks = in_chunks(x, size)
    assert chunks.shape == (2, 3, -(-7 // size), size, 2)
    assert torch.equal(chunks[1, 2, 0], x[1, :size, 2])
    assert chunks.sum() == x.sum()
    assert torch.equal(from_chunks(chunks, 7), x)


@pytest.mark.parametrize("with_starts", [False, True])
def test_what_is_left_is_the_product_of_the_decays_since(with_starts):
    generator = torch.Generator().manual_seed(0)
    log_decay = -torch.rand(2, 3, 2, 5, generator=generator, dtype=torch.float64)
    starts = torch.zeros(2, 1, 2, 5, dtype=torch.bool)
    if with_starts:
        starts[0, 0, 0, [0, 3]] = starts[1, 0, 1, [2, 4]] = True
    within, before = fading(log_decay, starts if with_starts else None)
    kept = log_decay.exp() * ~starts
    for i in range(5):
        torch.testing.assert_close(before[..., i], kept[..., : i + 1].prod(-1))
        for j in range(5):
            left = kept[..., j + 1 : i + 1].prod(-1) if j <= i else torch.zeros_like(before[..., i])
            torch.testing.assert_close(within[..., i, j], left)


def test_a_document_does_not_round_by_what_stood_before_it():
    log_decay = torch.tensor([-5000.0] * 6 + [-0.3] * 6)[None, None, None]
    starts = torch.zeros(1, 1, 1, 12, dtype=torch.bool)
    starts[..., 6] = True
    within, _ = fading(log_decay, starts)
    alone, _ = fading(log_decay[..., 6:], None)
    torch.testing.assert_close(within[..., 6:, 6:], alone, rtol=1e-6, atol=0)


def test_sums_do_not_follow_autocast():
    x = torch.full((2, 2), 1 + 2**-12)
    with torch.autocast("cpu", torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
        with full_precision(x.device):
            assert (x @ x).dtype == torch.float32
    with full_precision(torch.device("meta")):
        assert torch.empty(2, 2, device="meta").shape == (2, 2)
