"""Read a Qwen3 checkpoint: what it is from its first bytes, then its weights, tensor by tensor."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.core.model import LanguageModel
from harness.core.spec import VariantSpec
from harness.errors import AblateError, ConfigError
from harness.interop.from_config import from_config
from harness.interop.names import EMBEDDING, HEAD, Piece, is_fused, pieces, weights
from harness.interop.shards import Stored, list_tensors, open_tensors

DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16", "F64": "float64"}
SHOWN = 8  # problems of one kind in a message
ROWS = 4096  # of the head compared at a time


@dataclass(frozen=True)
class Checkpoint:
    """A folder whose configuration and tensors were found to agree."""

    folder: Path
    variant: VariantSpec
    tensors: dict[str, Stored]

    @property
    def dtypes(self) -> list[str]:
        """The types of number that the weights are stored in."""
        return sorted({DTYPES[stored.dtype] for stored in self.tensors.values()})

    def load(self) -> LanguageModel:
        """Build the model in fp32 and give it these weights."""
        model = LanguageModel(self.variant)
        self.load_into(model)
        return model.eval()

    def load_into(self, model: LanguageModel) -> None:
        """Give these weights to a model that has the same parameters."""
        with open_tensors(self.tensors) as reader, torch.no_grad():
            for name, parameter in weights(model).items():
                for piece in pieces(name, tuple(parameter.shape), is_fused(self.tensors)):
                    parameter[piece.ours].copy_(reader.read(piece.name, piece.theirs))


def read_variant(folder: Path) -> VariantSpec:
    """Return the variant that a folder's `config.json` describes.

    Raises:
        AblateError: there is none, or it describes something that we do not have.
    """
    file = folder / "config.json"
    if folder.is_file():
        raise AblateError(
            f"{folder}: must be a folder with config.json and safetensors, not a file"
        )
    if not folder.exists():
        hint = "nothing is fetched: download a model first" if len(folder.parts) == 2 else ""
        raise AblateError(f"there is no folder {folder}" + (f" ({hint})" if hint else ""))
    try:
        written = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise AblateError(f"there is no {file}") from None
    except ValueError as error:
        raise AblateError(f"{file}: no JSON: {error}") from None
    if not isinstance(written, dict):
        raise AblateError(f"{file}: must be an object, but is {type(written).__name__}")
    try:
        return from_config(written)
    except ConfigError as error:
        raise AblateError("\n".join(f"{file}: {problem}" for problem in error.problems)) from None


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check a checkpoint without reading its weights, but for tied ones that are stored twice.

    Raises:
        AblateError: a tensor is missing, not known, or of another shape than the configuration
            says, and the message names all of them; or a copy of tied weights differs.
    """
    variant = read_variant(folder)
    tensors = list_tensors(folder)
    with torch.device("meta"):
        model = LanguageModel(variant)
    problems = list(_mismatches(model, tensors))
    if problems:
        raise AblateError("\n".join([f"{folder}: the tensors do not fit config.json", *problems]))
    if variant.tie_embeddings and HEAD in tensors:
        _check_head(folder, tensors)
    return Checkpoint(folder, variant, tensors)


def import_model(folder: Path) -> LanguageModel:
    """Return the model of a Qwen3 checkpoint, in fp32 whatever its weights are stored in.

    Raises:
        AblateError: the folder holds no checkpoint that we can express, or a damaged one.
    """
    return open_checkpoint(folder).load()


def _check_head(folder: Path, tensors: dict[str, Stored]) -> None:
    """Refuse a second copy of tied weights that is none."""
    with open_tensors({name: tensors[name] for name in (HEAD, EMBEDDING)}) as reader:
        for start in range(0, tensors[HEAD].shape[0], ROWS):
            rows = slice(start, start + ROWS)
            if not torch.equal(reader.read(HEAD, rows), reader.read(EMBEDDING, rows)):
                says = "tie_word_embeddings is true"
                raise AblateError(f"{folder}: {says}, but {HEAD} differs from {EMBEDDING}")


def _mismatches(model: LanguageModel, tensors: dict[str, Stored]) -> Iterator[str]:
    expected: dict[str, tuple[str, Piece]] = {}
    for name, parameter in weights(model).items():
        for piece in pieces(name, tuple(parameter.shape), is_fused(tensors)):
            expected[piece.name] = (name, piece)
    # released models that tie may store the table twice
    known = {*expected, HEAD} if model.spec.tie_embeddings else set(expected)
    wanted = {
        theirs: f"{theirs} (our {ours}), which must be {list(piece.shape)}"
        for theirs, (ours, piece) in expected.items()
    }
    yield from _shown("missing", [wanted[name] for name in expected if name not in tensors])
    yield from _shown("not known", [name for name in tensors if name not in known])
    misshaped = [
        f"{wanted[name]}, but is {list(tensors[name].shape)}"
        for name, (_, piece) in expected.items()
        if name in tensors and tensors[name].shape != piece.shape
    ]
    yield from _shown("of another shape", misshaped)
    untyped = [f"{n} is {t.dtype}" for n, t in tensors.items() if t.dtype not in DTYPES]
    yield from _shown("of a type that cannot be read", untyped)


def _shown(kind: str, found: list[str]) -> Iterator[str]:
    yield from (f"  {kind}: {item}" for item in found[:SHOWN])
    if len(found) > SHOWN:
        yield f"  {kind}: {len(found) - SHOWN} more"
