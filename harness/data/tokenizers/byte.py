"""One id for each byte: nothing to learn, and loss per token is loss per byte."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from harness.data.tokenizers import TOKENIZER, Tokenizer


@TOKENIZER.register("byte")
class Byte(Tokenizer):
    """The UTF-8 bytes as ids 0 to 255, and 256 between documents.

    Source:
        Xue et al. 2022, "ByT5", arXiv:2105.13626, section 3.1, without its other special tokens.
    """

    vocab_size = 257
    separator = 256

    def train(self, texts: Iterable[str]) -> None:
        """Learn nothing."""

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the bytes of each text."""
        return [list(text.encode()) for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text whose bytes these are."""
        return bytes(i for i in ids if i != self.separator).decode(errors="replace")

    def save(self, folder: Path) -> None:
        """Write nothing."""

    @classmethod
    def load(cls, folder: Path, **options: Any) -> Self:
        """Return a tokenizer, all of which are alike."""
        return cls(**options)
