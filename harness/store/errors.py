"""What can be wrong with a stored file, said with its name."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import AblateError

ADVICE = {
    errno.ENOSPC: "make room, then the same command goes on",
    errno.EDQUOT: "make room in your quota, then the same command goes on",
    errno.EFBIG: "raise the limit on the size of files, then the same command goes on",
    errno.EIO: "the disk may be failing: move the results to another one",
}


class StoreError(AblateError):
    """A stored file is unreadable, could not be written, or would have been overwritten."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of what the system refuses which file it was, why, and what to do.

    Raises:
        StoreError: from any `OSError` within.
    """
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0)
        why = f"{error.strerror or error}{'; ' + advice if advice else ''}"
        raise StoreError(path, f"could not be written: {why}") from error
