"""Token vectors times sqrt(d_model), and the tied head without it."""

import torch

from harness.contracts.subject import Subject, tokens
from harness.core.context import Context


@torch.no_grad()
def test_vectors_are_enlarged_and_the_tied_head_is_not():
    model = Subject("embedding", "scaled").model()
    batch = tokens()
    x = model.embedding(batch, Context(torch.arange(batch.shape[1]).expand(batch.shape)))
    torch.testing.assert_close(x, 32**0.5 * model.embedding.weight[batch])
    hidden, _ = model.hidden(batch)
    assert model.head.weight is model.embedding.weight
    torch.testing.assert_close(model(batch), hidden @ model.embedding.weight.T)
