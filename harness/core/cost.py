"""What a variant costs, measured on the meta device before anything is allocated or trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness.core.counts import count_parameters
from harness.core.flops import FlopCounter
from harness.core.model import LanguageModel
from harness.core.slots import PRECISION, Slot
from harness.core.spec import VariantSpec
from harness.errors import ConfigError

OPTIMIZER_COPIES = 4  # weights, gradients and the two moments of Adam, all in fp32


@dataclass(frozen=True)
class Cost:
    """Parameters, FLOPs and bytes. Causal attention counts the full square, at `seq_len` tokens."""

    params: int  # every parameter once, tied or not
    params_active: int  # those that a token meets: without the experts not chosen
    params_non_embedding: int  # without the token embedding and an untied head
    seq_len: int
    forward_flops_per_token: float
    train_flops_per_token: float  # forward and backward
    cache_bytes: int  # of one sequence of `seq_len` tokens
    cache_bytes_per_token: float
    cache_dtype: str
    weight_bytes: int  # as stored for inference, in the variant's precision; shared ones once

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def measure_cost(
    spec: VariantSpec, seq_len: int, cache_dtype: torch.dtype = torch.bfloat16
) -> Cost:
    """Measure a variant on the meta device, eagerly, at one sequence of `seq_len` tokens.

    Raises:
        ConfigError: the variant cannot be built, or not be converted for inference.
        UncountedOperation: a component multiplies matrices in a way that has no FLOP formula.
    """
    with torch.device("meta"):
        model = LanguageModel(spec)
        forward, train = count_flops(model, batch_size=1, seq_len=seq_len)
        caches = model.new_caches(1, seq_len, cache_dtype)
    counts = count_parameters(model)
    cache_bytes = sum(cache.nbytes for cache in caches)
    return Cost(
        params=counts.unique,
        params_active=counts.active,
        params_non_embedding=counts.non_embedding,
        seq_len=seq_len,
        forward_flops_per_token=forward / seq_len,
        train_flops_per_token=train / seq_len,
        cache_bytes=cache_bytes,
        cache_bytes_per_token=cache_bytes / seq_len,
        cache_dtype=str(cache_dtype).removeprefix("torch."),
        weight_bytes=weight_bytes(_converted(model)),
    )


def weight_bytes(model: LanguageModel) -> int:
    """Return the bytes of a model's weights as they are stored, those that are shared once.

    What an objective has learned serves training alone and is not counted.
    """
    state = model.state_dict()
    stored = (t for name, t in state.items() if not name.startswith("objective."))
    return sum({t.untyped_storage()._cdata: t.nbytes for t in stored}.values())


def _converted(model: LanguageModel) -> LanguageModel:
    try:
        PRECISION.build(model.spec.precision.infer).prepare_inference(model)
    except ValueError as error:
        raise ConfigError.at(("precision", "infer"), str(error)) from error
    return model


def count_flops(model: LanguageModel, batch_size: int, seq_len: int) -> tuple[int, int]:
    """Return the FLOPs of a forward pass with its loss, and of forward and backward together."""
    device = model.head.weight.device
    tokens = torch.zeros(batch_size, seq_len, dtype=torch.long, device=device)
    stated = _stated_flops(model, batch_size, seq_len)
    with FlopCounter() as counter, torch.no_grad():
        model(tokens)
    forward = _with_statements(counter, type(model).__name__, stated, passes=1)
    with FlopCounter() as counter:
        _Training(model)(tokens).backward()
    model.zero_grad(set_to_none=True)
    return forward, _with_statements(counter, f"{_Training.__name__}.model", stated, passes=3)


class _Training(nn.Module):
    """The loss as a module's forward: the counter names modules only below one that is called."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model.loss(tokens, tokens)


def training_bytes(
    spec: VariantSpec, batch_size: int, seq_len: int, checkpointing: bool = False
) -> int:
    """Return roughly what a training step holds: weights, gradients, moments and activations.

    With checkpointing that is without the inside of the block that is being computed again.
    """
    with torch.device("meta"):
        model = LanguageModel(spec)
        model.checkpointing = checkpointing
        tokens = torch.zeros(batch_size, seq_len, dtype=torch.long)
        with _saved_bytes() as saved:
            loss = model.loss(tokens, tokens)
        del loss
    state = OPTIMIZER_COPIES * 4 * sum(p.numel() for p in model.parameters())
    weights = {p.untyped_storage()._cdata for p in model.parameters()}
    return state + sum(size for storage, size in saved.items() if storage not in weights)


def _stated_flops(model: LanguageModel, batch_size: int, seq_len: int) -> dict[str, int]:
    """Return what components state, by their path; of nested statements the outer one holds."""
    stated: dict[str, int] = {}
    for path, module in model.named_modules():
        inside = any(path.startswith(f"{outer}.") for outer in stated)
        if isinstance(module, Slot) and not inside:
            flops = module.flops(batch_size, seq_len)
            stated |= {} if flops is None else {path: flops}
    return stated


def _with_statements(counter: FlopCounter, root: str, stated: dict[str, int], passes: int) -> int:
    counted = counter.by_module()
    replaced = sum(counted.get(f"{root}.{path}", 0) for path in stated)
    return counter.get_total_flops() - replaced + passes * sum(stated.values())


@contextmanager
def _saved_bytes() -> Iterator[dict[int, int]]:
    """Collect the storages that autograd keeps for the backward pass, with their sizes."""
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        yield saved
