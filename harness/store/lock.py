"""A lock that dies with its holder: the kernel drops it, so no file's age is ever judged.

A process forked by the holder holds the lock too, and keeps it when the holder dies.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.store.errors import StoreError, writing

PATIENCE_S = 1.0
"""A reader's probe takes the lock for a moment; so long is it waited for."""


@contextmanager
def hold(path: Path, taken: str = "another process is writing this run") -> Iterator[None]:
    """Hold the lock file at `path` alone; `taken` is what is said if that cannot be.

    Raises:
        StoreError: another process holds it, or it cannot be made.
    """
    with writing(path):
        file = path.open("ab")
    with file:
        deadline = time.monotonic() + PATIENCE_S
        while not _take(file.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise StoreError(path, taken)
            time.sleep(0.005)
        yield


def is_held(path: Path) -> bool:
    """Say whether some process holds the lock; needs no permission to write."""
    try:
        with path.open("rb") as file:
            return not _take(file.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
