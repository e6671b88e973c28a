"""The numeric fingerprint: what the code computes today, as a few dozen numbers.

A stored run is reused only if the code still computes what it computed then. The variant's
components are evaluated, outputs and gradients, on a fixed tiny input with lively weights; then a
few steps of the whole training loop are taken. A refactoring leaves these numbers as they are, to
a tolerance; a changed formula does not, and nobody has to raise a version by hand.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from harness.core.initialization import addressed_normal
from harness.core.model import LanguageModel
from harness.core.slots import PRECISION
from harness.core.spec import VariantSpec
from harness.data.dataset import HeldOut
from harness.data.order import BatchOrder
from harness.errors import Diverged
from harness.experiments.question.run_config import RunConfig
from harness.training.budget import Budget
from harness.training.evaluation import Evaluator
from harness.training.flops import TrainingFlops
from harness.training.loop import Training

Fingerprint = dict[str, float | str]

TOLERANCE = 1e-4  # relative; fp32 noise of a few layers is a hundred times smaller
VOCAB_SIZE, BATCH_SIZE, SEQ_LEN, STEPS, SEED = 67, 2, 24, 4, 0


def measure_fingerprint(run: RunConfig) -> Fingerprint:
    """Return the numbers for a run's variant and training configuration, on the CPU."""
    variant = _tiny(run)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)  # for components with dropout
        numbers = {**_components(variant), **_training(run, variant)}
    return {key: _writable(value) for key, value in numbers.items()}


def measure_conversion(run: RunConfig) -> Fingerprint:
    """Return the numbers for what inference makes of a run's variant, on the CPU."""
    model = LanguageModel(_tiny(run)).eval()
    _enliven(model)
    PRECISION.build(run.variant.precision.infer).prepare_inference(model)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        logits = model(_tokens(SEQ_LEN)).float()
    picked = {"logits": _project(logits, "logits"), "norm": float(logits.norm())}
    return {key: _writable(value) for key, value in picked.items()}


def agree(stored: Mapping[str, float | str], now: Mapping[str, float | str]) -> bool:
    """Whether two fingerprints are of code that computes the same."""
    return stored.keys() == now.keys() and all(_close(stored[k], now[k]) for k in now)


def _tiny(run: RunConfig) -> VariantSpec:
    """Keep every kind of layer, and little else."""
    layers = max(len(getattr(run.variant, slot)) for slot in ("attention", "ffn", "block"))
    sizes = {"n_layers": min(run.variant.dims.n_layers, max(layers, 2)), "vocab_size": VOCAB_SIZE}
    return run.variant.resized(**sizes, max_seq_len=max(SEQ_LEN, run.train.seq_len))


def _writable(value: float | str) -> float | str:
    """Spell out NaN and infinities, which JSON lacks: code that still gives them agrees."""
    return value if isinstance(value, str) or math.isfinite(value) else str(value)


def _close(a: float | str, b: float | str) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _components(variant: VariantSpec) -> Fingerprint:
    """Outputs and gradients of every component, each measured where the model holds it."""
    model = LanguageModel(variant)
    _enliven(model)
    numbers: Fingerprint = {}
    seen: dict[str, object] = {}
    for name, module in model.named_modules():
        if name.count(".") <= 2:  # embedding, norm, blocks.i, blocks.i.attention, ...
            module.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
    tokens = _tokens(SEQ_LEN + 1)
    loss = model.loss(tokens[:, :-1], tokens[:, 1:])
    loss.backward()
    numbers["loss"] = loss.item()
    for name, out in seen.items():
        if isinstance(out, Tensor) and out.is_floating_point():
            numbers[f"output {name}"] = _project(out, name)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            numbers[f"gradient {name}"] = _project(parameter.grad, name)
    return numbers


def _training(run: RunConfig, variant: VariantSpec) -> Fingerprint:
    """Losses of a few steps of the real loop, from the real initial weights, and an evaluation."""
    model = LanguageModel(replace(variant, init=run.variant.init)).initialize(SEED)
    order = BatchOrder(n_tokens=1000, batch_size=BATCH_SIZE, seq_len=SEQ_LEN, seed=SEED)
    document = _tokens(61)[0]
    held_out = [HeldOut("document", document.numpy(), 100)]
    evaluator = Evaluator(held_out, SEQ_LEN, BATCH_SIZE, torch.device("cpu"))
    small = {"budget": Budget(steps=STEPS), "evaluations": 1, "stages": []}
    config = run.train.model_copy(update=small)
    batches = [(t[:, :-1], t[:, 1:]) for t in (_tokens(SEQ_LEN + 1, i) for i in range(STEPS))]
    numbers: Fingerprint = {"first windows": str(order.starts(0).tolist())}
    try:
        flops = TrainingFlops(1.0)
        for point in Training(model, batches, evaluator, config, flops=flops, seed=SEED):
            numbers[f"step {point.step} loss"] = point.train_loss
            numbers[f"step {point.step} gradient norm"] = point.grad_norm
            if point.evaluation:
                numbers |= point.evaluation.metrics()
    except Diverged as error:  # so will the run, perhaps; that is for it to find out
        numbers["diverged"] = str(error)
    return numbers


def _enliven(model: nn.Module) -> None:
    """Give every parameter a value at which nothing cancels: no ones, no zeros, no tiny weights."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            draw = addressed_normal(0, name, parameter.shape)
            fan_in = parameter.shape[-1] if parameter.ndim >= 2 else 1
            scale = (1.5 / fan_in**0.5) if parameter.ndim >= 2 else 0.2
            parameter.copy_(draw * scale if parameter.ndim >= 2 else parameter + draw * scale)


def _project(tensor: Tensor, name: str) -> float:
    """Reduce a tensor to one number of order one that every element has a say in."""
    tensor = tensor.detach().float()
    direction = addressed_normal(1, name, tensor.shape)
    return float((tensor * direction).sum() / (tensor.norm() + 1e-12))


def _tokens(length: int, index: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(index)
    return torch.randint(VOCAB_SIZE, (BATCH_SIZE, length), generator=generator)
