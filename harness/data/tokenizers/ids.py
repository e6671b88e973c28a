"""Ids as they are: for data that were never text, or whose tokenizer is not at hand."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field

from harness.data.tokenizers import TOKENIZER, Tokenizer
from harness.errors import AblateError


@TOKENIZER.register("ids")
class PlainIds(Tokenizer):
    """Ids written in decimal, with spaces between them: `17 4 9`.

    Options:
        vocab_size: How many ids there are, > 0.
        separator: The id between documents, if there are any; it ends a text.
    """

    of_text = False

    def __init__(
        self,
        *,
        vocab_size: Annotated[int, Field(gt=0, le=2**24)],
        separator: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        if separator >= vocab_size:
            raise ValueError(f"separator must be below vocab_size ({vocab_size}), got {separator}")
        self.vocab_size, self.separator = vocab_size, separator

    def train(self, texts: Iterable[str]) -> None:
        """Learn nothing."""

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the ids that each text lists.

        Raises:
            AblateError: a word is none.
        """
        return [[self._id(word) for word in text.split()] for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the ids as text, without separators."""
        return " ".join(str(int(i)) for i in ids if i != self.separator)

    def save(self, folder: Path) -> None:
        """Write nothing."""

    def to_json(self) -> str:
        """Return a code whose words are the ids."""
        return json.dumps(
            {
                "version": "1.0",
                "added_tokens": [_special(self.separator)],
                "pre_tokenizer": {"type": "WhitespaceSplit"},
                "model": {
                    "type": "WordLevel",
                    "vocab": {str(i): i for i in range(self.vocab_size)},
                    "unk_token": str(self.separator),
                },
            }
        )

    @classmethod
    def load(cls, folder: Path, **options: Any) -> Self:
        """Return a tokenizer with these options."""
        return cls(**options)

    def _id(self, word: str) -> int:
        if not (word.isascii() and word.isdigit() and int(word) < self.vocab_size):
            expected = f"must be ids below {self.vocab_size} with spaces between them"
            raise AblateError(f"the text {expected}, but got {word!r}")
        return int(word)


def _special(separator: int) -> dict[str, Any]:
    kinds = ("single_word", "lstrip", "rstrip", "normalized")
    return {
        "id": separator,
        "content": str(separator),
        "special": True,
        **dict.fromkeys(kinds, False),
    }
