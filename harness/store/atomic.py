"""The one way a file is replaced: a reader sees the old content or the new, never a part."""

import contextlib
import errno
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.store.errors import writing


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; the file there replaces it, durably, on leaving.

    Raises:
        StoreError: it could not be written; what was at `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.touch()
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(mode)  # some libraries write files that nobody else may read
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to be told
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file at `path`, making its folder; durable when this returns."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Replace the file at `path` with UTF-8 text."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: object) -> None:
    """Replace the file at `path` with indented strict JSON; floats are read back bit for bit."""
    write_text(path, encode_json(content, indent=2) + "\n")


def encode_json(content: object, *, indent: int | None = None) -> str:
    """Encode strict JSON.

    Raises:
        ValueError: for NaN and infinities, which JSON lacks: see `null_for_nan`.
    """
    return json.dumps(content, allow_nan=False, ensure_ascii=False, indent=indent)


def null_for_nan(content: Any) -> Any:
    """Return the same data with each NaN or infinite number, at any depth, as None."""
    match content:
        case float() if not math.isfinite(content):
            return None
        case Mapping():
            return {key: null_for_nan(value) for key, value in content.items()}
        case list() | tuple():
            return [null_for_nan(value) for value in content]
    return content


def remove_leftovers(folder: Path) -> None:
    """Remove what a writer that died has left unfinished in a folder: names with a dot in front."""
    with contextlib.suppress(OSError):  # in nobody's way: the next writer tries again
        for leftover in folder.glob(".*"):
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable, where the file system can.

    Raises:
        OSError: it could not, as it should.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems refuse to sync a folder
        if error.errno in (errno.EIO, errno.ENOSPC, errno.EDQUOT):
            raise
    finally:
        os.close(descriptor)
