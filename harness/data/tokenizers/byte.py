"""One id for each byte: nothing to learn, and loss per token is loss per byte."""

import json
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

    def to_json(self) -> str:
        """Return a byte-pair encoding without pairs."""
        vocab = {character: byte for byte, character in enumerate(_characters())}
        separator = {"id": self.separator, "content": "<|endoftext|>", "special": True}
        kinds = ("single_word", "lstrip", "rstrip", "normalized")
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
        code = {
            "version": "1.0",
            "added_tokens": [{**separator, **dict.fromkeys(kinds, False)}],
            "pre_tokenizer": {**byte_level, "trim_offsets": True},
            "decoder": {**byte_level, "trim_offsets": True},
            "model": {"type": "BPE", "vocab": vocab, "merges": []},
        }
        return json.dumps(code)

    @classmethod
    def load(cls, folder: Path, **options: Any) -> Self:
        """Return a tokenizer, all of which are alike."""
        return cls(**options)


def _characters() -> list[str]:
    """Return the characters by which GPT-2 writes the bytes 0 to 255, all of them visible."""
    shown = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), 256)}
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) if byte in shown else chr(256 + hidden.index(byte)) for byte in range(256)]
