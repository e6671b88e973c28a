"""Corpora: where data come from. Registry name and file name are the same."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from harness.core.registry import Registry
from harness.data.order import Ids, Tokens

HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # JSON can spell half of a surrogate pair


class Source(ABC):
    """What the key `corpus` may name, constructed with keyword-only options."""

    keys: ClassVar[
        frozenset[str]
    ]  # of `data`, besides `corpus` and `tokenizer`, that say more of it
    needs_tokenizer: ClassVar[bool] = False  # whether `tokenizer` must be chosen

    def own_tokenizer(self) -> Mapping[str, Any] | None:
        """Return the only tokenizer that it goes with; None if there is a choice."""
        return None


@dataclass(frozen=True)
class Document:
    """One text that is never divided between training and evaluation.

    The split takes its share of every `stratum` (a decade, a folder), so that what is held out
    resembles what is trained on.
    """

    id: str
    text: str
    stratum: str


class Corpus(Source):
    """A finite collection of documents."""

    keys = frozenset(
        {
            *("split", "packing", "max_documents"),
            *("held_out_documents", "held_out_bytes", "report_documents"),
        }
    )

    @abstractmethod
    def documents(self) -> Iterator[Document]:
        """Yield the documents, in the same order every time.

        Raises:
            ConfigError: the corpus cannot be found or read.
        """

    def pinned(self) -> Mapping[str, Any] | None:
        """Return what determines the documents for good, if that is known without reading them."""
        return None


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value that was read is text, of whole characters."""
    return isinstance(value, str) and not HALF_CHARACTER.search(value)


class IdCorpus(Source):
    """A finite stream of ids that a tokenizer has made elsewhere.

    Attributes:
        excerpt: ids that are scored of each document held out, which here are excerpts.
    """

    keys = frozenset({"split", "packing", "held_out_documents"})
    needs_tokenizer = True
    excerpt: int

    @abstractmethod
    def ids(self) -> Tokens:
        """Return the ids, mapped into memory.

        Raises:
            ConfigError: they cannot be found or read.
        """

    @abstractmethod
    def digest(self) -> str:
        """Return the SHA-256 of what `ids` returns."""


class Examples(NamedTuple):
    """N sequences of L ids, and which of these are answers: only they are scored."""

    ids: Ids  # N L
    answers: npt.NDArray[np.bool_]  # N L

    @classmethod
    def asking(cls, question: Ids, answer: Ids) -> "Examples":
        """Write a question, a 0 and the answer, row by row."""
        zero = np.zeros((len(question), 1), np.int64)
        ids = np.concatenate([question, zero, answer], axis=1)
        places = np.arange(ids.shape[1]) > question.shape[1]
        return cls(ids, np.tile(places, (len(ids), 1)))


class Probe(Source):
    """A synthetic task: examples without end, told apart by what they ask.

    The id 0 is never an answer: it divides, fills or asks.

    Attributes:
        vocab_size: how many ids there are.
        length: ids of one example.
    """

    keys = frozenset[str]()
    vocab_size: int
    length: int

    def own_tokenizer(self) -> Mapping[str, Any]:
        """Write ids as they are."""
        return {"name": "ids", "vocab_size": self.vocab_size}

    @abstractmethod
    def draw(self, generator: np.random.Generator, n: int) -> Examples:
        """Return `n` independent examples."""

    def question(self, ids: Ids) -> Ids:
        """Return what makes two examples the same, one row an example.

        No question of the training stream is one of the evaluation.
        """
        return ids


CORPUS: Registry[Source] = Registry("corpus", Source, "harness.data.corpora")
