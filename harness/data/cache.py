"""Folders that are built once, by whichever process comes first, and used only while intact."""

import contextlib
import fcntl
import functools
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import AblateError

MANIFEST = "MANIFEST.json"
logger = logging.getLogger("ablate.data")


def cache_root() -> Path:
    """Return `$ABLATE_CACHE`, or the folder `ablate` where the user keeps caches."""
    if chosen := os.environ.get("ABLATE_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ablate"


def open_or_build(folder: Path, build: Callable[[Path], None]) -> None:
    """Make sure that `folder` holds what `build` writes into the empty folder it is given.

    Processes that come together build once: the others wait. A damaged folder is built again.

    Raises:
        AblateError: the cache cannot be written.
    """
    if is_intact(folder):
        return
    with _locked(folder.with_suffix(".lock")):
        if is_intact(folder):  # built by another process while this one waited
            return
        if folder.exists():
            logger.warning("%s is damaged and is built again", folder)
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
        partial.mkdir()
        try:
            logger.info("building %s", folder)
            build(partial)
            _write_manifest(partial)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def is_intact(folder: Path) -> bool:
    """Whether every file of the folder's manifest has its size and content."""
    try:
        files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
        return all(
            (status := (folder / name).stat()).st_size == file["bytes"]
            and _sha256(folder / name, status.st_mtime_ns) == file["sha256"]
            for name, file in files.items()
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _write_manifest(folder: Path) -> None:
    """Record every file: the last thing written, so that a folder without it is not complete."""
    files = {
        file.relative_to(folder).as_posix(): {
            "bytes": file.stat().st_size,
            "sha256": file_digest(file),
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1), "utf-8")


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file, computed once in a process while the file stays as it is."""
    return _sha256(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _sha256(file: Path, mtime_ns: int) -> str:
    """Hash a file, once in a process for each time that it was modified."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold a lock that the operating system releases when the process ends, however it ends."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = file.open("w")
    except OSError as error:
        raise not_writable(error) from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def not_writable(error: OSError) -> AblateError:
    """Return what to tell a user whose cache cannot be written."""
    hint = "set ABLATE_CACHE to a folder that can be written"
    return AblateError(f"cannot write the data cache: {error}; {hint}")
