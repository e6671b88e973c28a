"""Corpora: where documents come from. Registry name and file name are the same."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from harness.core.registry import Registry


@dataclass(frozen=True)
class Document:
    """One text that is never divided between training and evaluation.

    The split takes its share of every `stratum` (a decade, a folder), so that what is held out
    resembles what is trained on.
    """

    id: str
    text: str
    stratum: str


class Corpus(ABC):
    """A finite collection of documents, constructed with keyword-only options."""

    @abstractmethod
    def documents(self) -> Iterator[Document]:
        """Yield the documents, in the same order every time.

        Raises:
            ConfigError: the corpus cannot be found or read.
        """


CORPUS: Registry[Corpus] = Registry("corpus", Corpus, "harness.data.corpora")
