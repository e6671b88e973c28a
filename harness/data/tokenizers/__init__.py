"""Tokenizers: how text becomes ids. Registry name and file name are the same."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

from harness.core.registry import Registry


class Tokenizer(ABC):
    """A lossless code for text, constructed with keyword-only options.

    `vocab_size` and `separator` are known before training, so that a model can be planned and
    priced without its data: `TOKENIZER.build(spec).vocab_size`.

    Attributes:
        vocab_size: how many ids there are, whether or not training finds a use for all of them.
        separator: the id that stands between documents and that no text encodes to.
        of_text: whether any text can be told from its ids, so that bits per byte mean something.
        is_learned: whether it is another one for each corpus.
    """

    of_text: bool = True
    is_learned: ClassVar[bool] = False
    vocab_size: int
    separator: int

    @abstractmethod
    def train(self, texts: Iterable[str]) -> None:
        """Learn the code from texts, the same one for the same texts."""

    @abstractmethod
    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of each text, without separators."""

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`, leaving separators out and marking broken UTF-8 with U+FFFD."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was learned into an existing folder."""

    @abstractmethod
    def to_json(self) -> str:
        """Return the same code as a `tokenizer.json` of the library `tokenizers`."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, **options: Any) -> Self:
        """Return the tokenizer that `save` wrote into `folder`, given the options it had."""

    def content(self) -> dict[str, Any]:
        """Return what identifies it besides its options; these replace options of the same name."""
        return {}


TOKENIZER: Registry[Tokenizer] = Registry("tokenizer", Tokenizer, "harness.data.tokenizers")
