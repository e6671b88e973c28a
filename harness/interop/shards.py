"""Tensors in safetensors files: in one, or in several with an index; nothing is unpickled."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from harness.errors import AblateError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class Stored:
    """What a file says of a tensor before it is read."""

    file: Path
    shape: tuple[int, ...]
    dtype: str


class Reader:
    """The open files of some tensors, read one tensor at a time."""

    def __init__(self, stored: Mapping[str, Stored], files: Mapping[Path, Any]) -> None:
        self._stored, self._files = stored, files

    def read(self, name: str, part: Any = ...) -> Tensor:
        """Read a tensor, or the part of it with this index."""
        return self._files[self._stored[name].file].get_slice(name)[part]


def list_tensors(folder: Path) -> dict[str, Stored]:
    """Return every tensor of a checkpoint by name, reading only what describes them.

    Raises:
        AblateError: there is no checkpoint, a file of it is missing, or one is damaged.
    """
    found: dict[str, Stored] = {}
    for file in _files_of(folder):
        with _open(file) as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                if name in found:
                    raise AblateError(f"{file}: {name} is also in {found[name].file.name}")
                about = opened.get_slice(name)
                found[name] = Stored(file, tuple(about.get_shape()), about.get_dtype())
    return found


@contextmanager
def open_tensors(stored: Mapping[str, Stored]) -> Iterator[Reader]:
    """Open the files that hold some tensors."""
    with ExitStack() as stack:
        files = {about.file: None for about in stored.values()}
        yield Reader(stored, {file: stack.enter_context(_open(file)) for file in files})


def write_shards(tensors: Iterator[tuple[str, int, Any]], folder: Path, limit: int) -> int:
    """Write tensors into as few files of at most `limit` bytes as their order allows.

    Args:
        tensors: Name, size in bytes, and a function that returns the tensor; called once, when its
            file is written.
        folder: Where the files go; the index beside them, if there are several.
        limit: Bytes of a file; a tensor larger than that has a file of its own.

    Returns:
        The bytes of all tensors.
    """
    shards: list[dict[str, Any]] = [{}]
    room, total = limit, 0
    for name, size, load in tensors:
        if size > room and shards[-1]:
            shards.append({})
            room = limit
        shards[-1][name] = load
        room, total = room - size, total + size
    names = [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    for file, shard in zip(names if len(shards) > 1 else [WEIGHTS], shards, strict=True):
        save_file({name: load() for name, load in shard.items()}, folder / file, {"format": "pt"})
    if len(shards) > 1:
        weight_map = {
            name: file for file, shard in zip(names, shards, strict=True) for name in shard
        }
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", "utf-8")
    return total


def _files_of(folder: Path) -> list[Path]:
    if (folder / INDEX).exists():
        try:
            names = set(json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values())
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise AblateError(f"{folder / INDEX}: no index of tensors: {error!r}") from None
        if outside := sorted(name for name in names if Path(name).name != name):
            raise AblateError(f"{folder / INDEX}: {outside[0]!r} is not a file of this folder")
        files = [folder / name for name in sorted(names)]
    else:
        files = [folder / WEIGHTS]
    for file in files:
        if not file.is_file():
            hint = "; pickled weights (.bin, .pt) are not read" if _has_pickles(folder) else ""
            raise AblateError(f"there is no {file}{hint}")
    return files


def _has_pickles(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in ("*.bin", "*.pt", "*.pth"))


@contextmanager
def _open(file: Path) -> Iterator[Any]:
    try:
        opened = safe_open(file, framework="pt")
    except (SafetensorError, OSError) as error:
        raise AblateError(f"{file}: cannot be read: {error}") from None
    with opened as tensors:
        yield tensors
