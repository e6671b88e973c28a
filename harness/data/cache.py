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

    Processes that come together build once: the others wait. A damaged folder is built again, and
    a warning says what was wrong with it.

    Raises:
        AblateError: the cache cannot be written.
    """
    if problem_of(folder) is None:
        return
    with _locked(folder.with_suffix(".lock")), _written(folder):
        problem = problem_of(folder)
        if problem is None:  # built by another process while this one waited
            return
        if folder.exists():
            logger.warning("%s is built again: %s", folder, problem)
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
        partial.mkdir()
        try:
            logger.info("building %s", folder)
            build(partial)
            _write_manifest(partial, folder.name)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def problem_of(folder: Path) -> str | None:
    """Say what is wrong with a folder; None if its files are those that were built under its name.

    All of them are read: that takes a tenth of a second for 100 MB, once in a process, and sizes
    and times alone would not tell a flipped bit.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        if manifest["of"] != folder.name:
            return f"{MANIFEST} is of {manifest['of']}"
        for name, file in manifest["files"].items():
            if (folder / name).stat().st_size != file["bytes"]:
                return f"{name} has another size"
            if file_digest(folder / name) != file["sha256"]:
                return f"{name} is not what was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except LookupError:
        return f"{MANIFEST} is of another version, or damaged"
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return f"{MANIFEST} cannot be read: {type(error).__name__}"
    return None


def _write_manifest(folder: Path, name: str) -> None:
    """Record every file: the last thing written, so that a folder without it is not complete."""
    files = {
        file.relative_to(folder).as_posix(): {
            "bytes": file.stat().st_size,
            "sha256": file_digest(file),
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    (folder / MANIFEST).write_text(json.dumps({"of": name, "files": files}, indent=1), "utf-8")


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file, computed once in a process while the file stays as it is."""
    status = file.stat()
    return _sha256(file, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@functools.lru_cache(maxsize=1024)
def _sha256(file: Path, status: tuple[int, ...]) -> str:
    """Hash a file, once in a process for each state that the file system tells of."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = f"{error.strerror or error}; make room, or set ABLATE_CACHE to another folder"
        raise AblateError(f"cannot write the data cache {folder}: {why}") from error


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
