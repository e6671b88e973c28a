"""What can be wrong with a stored file, said with its name."""

from pathlib import Path

from harness.errors import AblateError


class StoreError(AblateError):
    """A stored file is unreadable, or would have been overwritten."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
