"""A tokenizer that was made elsewhere, as a file of the library `tokenizers`."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from harness.data.cache import file_digest
from harness.data.tokenizers import TOKENIZER, Tokenizer
from harness.data.tokenizers._library import tokenizers
from harness.data.tokenizers.bpe import SEPARATOR
from harness.errors import ConfigError, unknown

# Scripts, composed accents, white space and capitals: what tokenizers that change texts change.
ANY_TEXT = " Straße\n\n\tnaïve  東京 Ωмег😀\r\n{x_1}… "


@TOKENIZER.register("file")
class TokenizerFile(Tokenizer):
    """Any `tokenizer.json`, such as those on the Hugging Face Hub; nothing is learned.

    Texts never mean special tokens, whatever they spell, and none are added to them. Of one that
    changes texts (lower case, unknown words) there are no bits per byte.

    Options:
        path: The file; `~` is expanded.
        separator: The special token between documents, as text; `null` is `<|endoftext|>` or, in a
            file without that, its first special token.
        sha256: Of the file. It is filled in when an experiment is read, and what is stored holds
            it, so that a file that has changed since is refused.
    """

    def __init__(
        self, *, path: str, separator: str | None = None, sha256: str | None = None
    ) -> None:
        self.path = Path(path).expanduser()
        self.sha256 = _digest(self.path)
        if sha256 not in (None, self.sha256):
            changed = f"{self.path} has changed: its SHA-256 is {self.sha256}, not {sha256}"
            raise ConfigError.at(("path",), changed)
        self._use(self.path, self.sha256, separator)

    @classmethod
    def complete(cls, options: Mapping[str, Any], dims: object) -> dict[str, Any]:
        """Fill in the digest of the file."""
        found = options["sha256"] or _digest(Path(options["path"]).expanduser())
        return {**options, "sha256": found}

    def content(self) -> dict[str, Any]:
        """Return the digest in place of the path."""
        return {"path": self.sha256, "sha256": self.sha256}

    def train(self, texts: Iterable[str]) -> None:
        """Learn nothing."""

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of each text; one that spells a special token out is text all the same."""
        return [code.ids for code in self._code.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`."""
        return str(self._code.decode([int(i) for i in ids], skip_special_tokens=True))

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`."""
        (folder / "tokenizer.json").write_text(self.to_json(), "utf-8")

    def to_json(self) -> str:
        """Return what `save` writes."""
        return str(self._code.to_str())

    @classmethod
    def load(cls, folder: Path, **options: Any) -> Self:
        """Read `tokenizer.json`; the file that it came from is not needed."""
        tokenizer = cls.__new__(cls)
        file = folder / "tokenizer.json"
        tokenizer.path, tokenizer.sha256 = Path(options["path"]), options["sha256"]
        tokenizer._use(file, _digest(file), options["separator"])
        return tokenizer

    def _use(self, file: Path, digest: str, separator: str | None) -> None:
        self._code, self.vocab_size = _read(file, digest)
        self.separator = _separator(self._code, separator, file)
        self.of_text = self.decode(self.encode([ANY_TEXT])[0]) == ANY_TEXT


def _digest(file: Path) -> str:
    try:
        return file_digest(file)
    except OSError as error:
        raise ConfigError.at(("path",), f"{file} cannot be read: {error}") from None


@functools.lru_cache(maxsize=4)
def _read(file: Path, digest: str) -> tuple[tokenizers.Tokenizer, int]:
    """Read a file and count its ids, once while its digest is the same: that may take a second."""
    try:
        code = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # the library has no kind of its own
        problem = f"{file} is no file of the library tokenizers: {error}"
        raise ConfigError.at(("path",), problem) from None
    code.encode_special_tokens = True
    code.no_truncation()
    code.no_padding()
    return code, 1 + max(code.get_vocab(with_added_tokens=True).values())


def _separator(code: tokenizers.Tokenizer, chosen: str | None, file: Path) -> int:
    added = sorted(code.get_added_tokens_decoder().items())
    special = {token.content: number for number, token in added if token.special}
    if not special:
        problem = f"{file} has no special token to stand between documents"
        raise ConfigError.at(("path",), problem)
    if chosen is None:
        return special.get(SEPARATOR, next(iter(special.values())))
    if chosen not in special:
        raise ConfigError.at(("separator",), unknown("special token", chosen, special))
    return special[chosen]
