"""The state of a training: what a later process needs to go on from there, bit for bit.

Randomness is no part of it: every draw is keyed by the seed and the step.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.errors import AblateError
from harness.store.atomic import write_json
from harness.training.tensor_file import read_tensors, write_tensors

TENSORS, NUMBERS = "state.safetensors", "state.json"


@dataclass(frozen=True)
class TrainingState:
    """Tensors by name, and numbers: counters of the loop and settings of the optimizer."""

    tensors: dict[str, Tensor]
    numbers: dict[str, Any]

    def copy(self) -> "TrainingState":
        """Return one that a training which goes on does not change."""
        tensors = {name: tensor.detach().clone() for name, tensor in self.tensors.items()}
        return TrainingState(tensors, self.numbers)

    def save(self, folder: Path) -> None:
        """Write it into a folder; tensors that share their memory are written once."""
        first: dict[tuple[Any, ...], str] = {}
        shared: dict[str, str] = {}
        written: dict[str, Tensor] = {}
        for name, tensor in self.tensors.items():
            place = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.shape)
            if tensor.numel() and place in first:
                shared[name] = first[place]
            else:
                first[place] = name
                written[name] = tensor.detach().contiguous()
        write_tensors(written, folder / TENSORS)
        write_json(folder / NUMBERS, {**self.numbers, "shared": shared})

    @classmethod
    def load(cls, folder: Path) -> "TrainingState":
        """Read what `save` wrote, onto the CPU.

        Raises:
            AblateError: the files hold something else.
        """
        try:
            numbers = json.loads((folder / NUMBERS).read_bytes())
            tensors = read_tensors(folder / TENSORS)
            tensors |= {name: tensors[other] for name, other in numbers.pop("shared").items()}
        except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
            raise AblateError(f"{NUMBERS} is not of a training: {type(error).__name__}") from None
        return cls(tensors, numbers)

    @property
    def is_finite(self) -> bool:
        """Whether no number is infinite or NaN: if one is, the next step diverges."""
        return all(bool(tensor.isfinite().all()) for tensor in self.tensors.values())


def gather(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return all tensors of a model and its optimizer, by name."""
    found = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for i, parameter in enumerate(_parameters(optimizer)):
        for key, value in optimizer.state.get(parameter, {}).items():
            found[f"optimizer.{i}.{key}"] = torch.as_tensor(value)
    return found


def scatter(tensors: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Give a model and its optimizer, both newly built, what `gather` found.

    torch's own loading would cast the optimizer's numbers to the type of the parameters.

    Raises:
        AblateError: these are not the tensors of this model.
    """
    prefix = "model."
    of_model = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    try:
        model.load_state_dict(of_model, strict=True)
    except RuntimeError as error:
        raise AblateError(f"the state is of another model: {error}") from None
    parameters = list(_parameters(optimizer))
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            index, _, key = rest.partition(".")
            parameter = parameters[int(index)]
            # what counts steps stays where torch keeps it; the rest is beside its parameter
            device = parameter.device if tensor.ndim else tensor.device
            optimizer.state[parameter][key] = tensor.to(device)


def _parameters(optimizer: torch.optim.Optimizer) -> Iterator[nn.Parameter]:
    for group in optimizer.param_groups:
        yield from group["params"]
