"""How large the gradient is in each layer."""

from jaxtyping import Int
from torch import Tensor, nn

from harness.core.model import LanguageModel
from harness.core.slots import PRECISION
from harness.data.batches import Batch


def gradient_norms(
    model: LanguageModel,
    tokens: Int[Tensor, "B T"],
    targets: Int[Tensor, "B T"],
    documents: Int[Tensor, "B T"] | None = None,
) -> list[float]:
    """Return the norm of the loss's gradient over all parameters of each block, first to last.

    Without dropout; the model is left as it was, without gradients.
    """
    was_training, device = model.training, model.head.weight.device
    model.eval()
    with PRECISION.build(model.spec.precision.train).autocast(device):
        inputs, wanted, apart = Batch(tokens, targets, documents).to(device)
        loss = model.loss(inputs, wanted, documents=apart)
    loss.backward()
    grads = ([p.grad for p in b.parameters() if p.grad is not None] for b in model.blocks)
    norms = [float(nn.utils.get_total_norm(of_block)) for of_block in grads]
    model.zero_grad(set_to_none=True)
    model.train(was_training)
    return norms
