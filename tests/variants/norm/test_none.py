"""No normalisation: nothing is changed and nothing is learned."""

import torch

from harness.contracts.subject import Subject, logits, tokens


def test_it_gives_back_what_it_is_given():
    model = Subject("norm", "none").model()
    assert not any("norm" in name for name, _ in model.named_parameters())
    x = torch.linspace(-1e6, 1e6, 64).view(2, 32)
    assert torch.equal(model.norm(x), x)


def test_without_norms_the_scale_of_the_stream_reaches_the_logits():
    moved = {}
    for name in ("none", "rms_norm"):
        model = Subject("norm", name).model(tie_embeddings=False, init={"outputs": "zero"})
        before = logits(model, tokens())
        model.embedding.weight.data *= 3
        moved[name] = (logits(model, tokens()) / before).median()
    torch.testing.assert_close(moved["none"], torch.tensor(3.0))
    torch.testing.assert_close(moved["rms_norm"], torch.tensor(1.0), rtol=0.02, atol=0)
