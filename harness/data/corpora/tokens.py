"""Ids made elsewhere, in one file that is mapped into memory and never copied."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from harness.data.cache import file_digest
from harness.data.corpora import CORPUS, IdCorpus
from harness.data.order import Tokens
from harness.errors import ConfigError

KINDS = (".npy", ".bin")


@CORPUS.register("tokens")
class TokenFile(IdCorpus):
    """A file of token ids: `.npy` with one axis of integers, or `.bin` with the bare numbers.

    Memory does not grow with the file. The end is held out, from the start of a document on if a
    separator tells where one is.

    Options:
        path: The file; `~` is expanded.
        dtype: Of the numbers of a `.bin`, little-endian.
        excerpt: Ids scored of each excerpt that is held out, > 0; fewer of a small file.
    """

    def __init__(
        self,
        *,
        path: str,
        dtype: Literal["uint8", "uint16", "uint32", "int32", "int64"] = "uint16",
        excerpt: Annotated[int, Field(gt=0)] = 1024,
    ) -> None:
        self.path, self.dtype, self.excerpt = Path(path).expanduser(), dtype, excerpt

    def ids(self) -> Tokens:
        """Return the ids, mapped into memory.

        Raises:
            ConfigError: there is no such file, or it holds anything else.
        """
        suffix = self.path.suffix.lower()
        if suffix not in KINDS:
            expected = f"must be one of {', '.join(KINDS)}"
            raise ConfigError.at(("path",), f"{expected}, but got {str(self.path)!r}")
        try:
            if suffix == ".npy":
                found = np.lib.format.open_memmap(self.path, mode="r")
            else:
                found = np.memmap(self.path, np.dtype(self.dtype).newbyteorder("<"), mode="r")
        except (OSError, ValueError) as error:
            raise ConfigError.at(("path",), f"{self.path} cannot be read: {error}") from None
        if found.ndim != 1 or found.dtype.kind not in "ui":
            shape = f"{found.ndim} axes of {found.dtype}"
            problem = f"{self.path} must hold one axis of integers, but holds {shape}"
            raise ConfigError.at(("path",), problem)
        return found

    def digest(self) -> str:
        """Return the SHA-256 of the file and of how it is read."""
        dtype = self.ids().dtype.str
        return f"{file_digest(self.path)} {dtype}"
