import pytest
import torch
import torch.nn.functional as F

from harness.core import cross_entropy
from harness.core.cross_entropy import linear_cross_entropy, token_losses
from harness.core.head import Head
from harness.core.targets import IGNORE


def inputs(n=150, width=12, vocab=37, ignored=0.3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(n, width, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(vocab, width, generator=generator).to(dtype).requires_grad_()
    targets = torch.randint(vocab, (n,), generator=generator)
    targets[torch.rand(n, generator=generator) < ignored] = IGNORE
    return hidden, weight, targets


def as_head(weight, softcap=None):
    head = Head(1, 1, softcap)
    del head.weight
    head.weight = weight
    return head


@pytest.fixture(params=[1, 150 * 37, 2**20], ids=["chunks of 64", "chunks of 128", "one chunk"])
def chunks(request, monkeypatch):
    """150 rows are no multiple of 64 or 128: the last chunk is shorter."""
    monkeypatch.setattr(cross_entropy, "ROWS", 64)
    monkeypatch.setattr(cross_entropy, "CHUNK_ELEMENTS", request.param)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 128, 150])
def test_loss_and_gradients_equal_autograd_in_float64(chunks, n):
    hidden, weight, targets = inputs(n, ignored=0.3 if n > 1 else 0)
    loss = linear_cross_entropy(hidden, as_head(weight), targets)
    (3 * loss).backward()
    exact_hidden, exact_weight = (t.detach().double().requires_grad_() for t in (hidden, weight))
    exact = F.cross_entropy(exact_hidden @ exact_weight.T, targets, ignore_index=IGNORE)
    (3 * exact).backward()
    for ours, theirs in [
        (loss, exact),
        (hidden.grad, exact_hidden.grad),
        (weight.grad, exact_weight.grad),
    ]:
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("softcap", "z_loss"), [(3.0, 0.0), (None, 0.1), (2.0, 0.1)])
def test_soft_cap_and_z_loss_equal_autograd_in_float64(chunks, softcap, z_loss):
    hidden, weight, targets = inputs()
    loss = linear_cross_entropy(hidden, as_head(weight, softcap), targets, z_loss)
    (3 * loss).backward()
    exact_hidden, exact_weight = (t.detach().double().requires_grad_() for t in (hidden, weight))
    logits = as_head(exact_weight, softcap)(exact_hidden)
    exact = F.cross_entropy(logits, targets, ignore_index=IGNORE)
    exact = exact + z_loss * torch.logsumexp(logits, 1)[targets != IGNORE].square().mean()
    (3 * exact).backward()
    for ours, theirs in [
        (loss, exact),
        (hidden.grad, exact_hidden.grad),
        (weight.grad, exact_weight.grad),
    ]:
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-6)


def test_under_autocast_all_three_products_are_in_16_bits(chunks):
    from torch.utils._python_dispatch import TorchDispatchMode

    products, casts = [], []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if "mm" in str(func):
                products.append(out.dtype)
            casts.extend([func] * ("_to_copy" in str(func) and args[0].shape == weight.shape))
            return out

    hidden, weight, targets = inputs()
    with Watch(), torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(hidden, as_head(weight), targets)
    loss.backward()
    assert set(products) == {torch.bfloat16} and len(products) % 3 == 0
    assert len(casts) == 1  # of the head, once for all chunks
    assert hidden.grad.dtype == weight.grad.dtype == torch.float32
    exact = [t.detach().double().requires_grad_() for t in (hidden, weight)]
    F.cross_entropy(exact[0] @ exact[1].T, targets, ignore_index=IGNORE).backward()
    for ours, theirs in zip((hidden, weight), exact, strict=True):
        assert (ours.grad - theirs.grad).norm() < 0.01 * theirs.grad.norm()


def test_only_what_wants_a_gradient_gets_one(chunks):
    hidden, weight, targets = inputs()
    linear_cross_entropy(hidden.detach(), as_head(weight), targets).backward()
    assert hidden.grad is None and weight.grad is not None
    with torch.no_grad():
        assert not linear_cross_entropy(hidden, as_head(weight), targets).requires_grad


def test_large_logits_do_not_overflow():
    hidden, weight, targets = inputs(ignored=0)
    with torch.no_grad():
        hidden *= 1e4
    loss = linear_cross_entropy(hidden, as_head(weight), targets)
    assert loss.isfinite() and loss > 1e3


def test_nothing_to_predict_is_no_loss_and_no_gradient():
    hidden, weight, targets = inputs(ignored=1.1)
    loss = linear_cross_entropy(hidden, as_head(weight), targets)
    loss.backward()
    assert loss == 0 and not hidden.grad.any() and not weight.grad.any()


def test_logits_of_all_tokens_never_exist_at_once(monkeypatch):
    """The largest tensor that is made holds one chunk of logits."""
    from torch.utils._python_dispatch import TorchDispatchMode

    sizes = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            sizes.extend(t.numel() for t in [out] if isinstance(t, torch.Tensor))
            return out

    monkeypatch.setattr(cross_entropy, "CHUNK_ELEMENTS", 64 * 512)
    hidden, weight, targets = inputs(1024, 4, 512)
    with Watch():
        linear_cross_entropy(hidden, as_head(weight), targets).backward()
    assert max(sizes) <= 64 * 512 < 1024 * 512


def test_token_losses_equal_cross_entropy_and_know_the_most_likely_token(chunks):
    hidden, weight, targets = inputs()
    losses, correct = token_losses(hidden, lambda x: x @ weight.T, targets)
    logits = (hidden @ weight.T).detach()
    theirs = F.cross_entropy(logits, targets, ignore_index=IGNORE, reduction="none")
    torch.testing.assert_close(losses, theirs, rtol=1e-5, atol=1e-5)
    assert torch.equal(correct, logits.argmax(1) == targets)
    assert not losses[targets == IGNORE].any()
