"""Write a model as a Qwen3 checkpoint that transformers loads."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.core.model import LanguageModel
from harness.errors import AblateError
from harness.interop.expressible import check_expressible
from harness.interop.names import pieces, weights
from harness.interop.shards import write_shards
from harness.interop.to_config import to_config
from harness.interop.tokenizer import HubTokenizer
from harness.quantities import format_bytes

SHARD_BYTES = 5_000_000_000
SPARE = 1.02  # of the disk, for headers and small files


def export_model(
    model: LanguageModel,
    folder: Path,
    tokenizer: HubTokenizer | None = None,
    dtype: torch.dtype = torch.float32,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write configuration, weights and tokenizer; the folder appears when all of it is there.

    Args:
        model: With the weights to write, and its variant.
        folder: Must not exist, or be empty.
        tokenizer: That its tokens come from.
        dtype: To write the weights in.
        shard_bytes: Largest size of a file of weights.

    Raises:
        ConfigError: Qwen3 cannot express the variant; everything in the way is named.
        AblateError: the folder is taken, or the disk has no room.
    """
    check_export(model, folder, dtype)
    config = to_config(model.spec, dtype, tokenizer.separator if tokenizer else None)
    with _new_folder(folder) as made:
        _write_json(made / "config.json", config)
        ids = ("bos_token_id", "eos_token_id")
        generation = {key: config[key] for key in ids if config[key] is not None}
        if tokenizer:
            generation["pad_token_id"] = tokenizer.separator
            tokenizer.write(made, model.spec.dims)
        _write_json(made / "generation_config.json", generation)
        write_shards(_tensors(model, dtype), made, shard_bytes)
        for shard in made.glob("*.safetensors"):  # written so that nobody else may read them
            shutil.copymode(made / "config.json", shard)


def check_export(model: LanguageModel, folder: Path, dtype: torch.dtype) -> int:
    """Return the bytes of a model's weights on disk; one on the meta device will do.

    Raises:
        ConfigError: Qwen3 cannot express the variant.
        AblateError: the folder is taken, or the disk has no room.
    """
    check_expressible(model.spec)
    size = sum(t.numel() for t in weights(model).values()) * dtype.itemsize
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AblateError(f"{folder} is not empty: nothing is overwritten")
    disk = next(above for above in folder.absolute().parents if above.is_dir())
    free = shutil.disk_usage(disk).free
    if size * SPARE > free:
        room = f"{format_bytes(size)} are needed and {format_bytes(free)} are free"
        raise AblateError(f"there is no room for {folder}: {room}")
    return size


def _tensors(model: LanguageModel, dtype: torch.dtype) -> Iterator[tuple[str, int, Any]]:
    for name, parameter in weights(model).items():
        for piece in pieces(name, tuple(parameter.shape)):
            part = parameter[piece.ours]
            yield piece.name, part.numel() * dtype.itemsize, partial(_as_stored, part, dtype)


def _as_stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(device="cpu", dtype=dtype).contiguous()


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder beside the one wanted, and give it that name when all has been written."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}")
    made.mkdir()
    try:
        yield made
        os.replace(made, folder)  # noqa: PTH105 - an empty folder gives way, a full one does not
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
