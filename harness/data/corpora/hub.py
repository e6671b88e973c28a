"""Datasets of the Hugging Face Hub, at a commit that is named in full."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.data.cache import cache_root
from harness.data.corpora import CORPUS, Corpus, Document, is_text
from harness.data.kept import kept_texts
from harness.errors import ConfigError, unknown

COMMIT = re.compile("[0-9a-f]{40}")


@CORPUS.register("hub")
class Hub(Corpus):
    """A split of a dataset, one document a row, in its own order.

    It is streamed: no more rows are read than `max_documents` asks for. What was read is kept, so
    that this happens once; only then a connection is needed. No code of the dataset is run.

    Options:
        dataset: Its name on the Hub, `owner/name`.
        revision: A full commit hash. A branch or a tag could name other text tomorrow.
        config: Of datasets that have several; `null` is the default one.
        split: Which part is read; what is held out is taken from it.
        text_column: The column that holds the text.
    """

    def __init__(
        self,
        *,
        dataset: str,
        revision: str,
        config: str | None = None,
        split: str = "train",
        text_column: str = "text",
    ) -> None:
        if not COMMIT.fullmatch(revision):
            must = f"must be a full commit hash (40 hexadecimal digits), but got {revision!r}"
            where = f"https://huggingface.co/datasets/{dataset}/commits lists them"
            raise ConfigError.at(("revision",), f"{must}: {where}")
        self.dataset, self.revision, self.config = dataset, revision, config
        self.split, self.text_column = split, text_column

    def pinned(self) -> Mapping[str, Any]:
        """Return where the text is: at a commit it is always the same."""
        return {"hub": [self.dataset, self.revision, self.config, self.split, self.text_column]}

    def documents(self) -> Iterator[Document]:
        """Yield the rows, named by their number from 0.

        Raises:
            ConfigError: the Hub cannot be reached, or has no such dataset, split or column.
        """
        about = json.dumps(self.pinned())
        folder = cache_root() / "hub" / hashlib.sha256(about.encode()).hexdigest()[:16]
        for number, text in enumerate(kept_texts(folder, self._texts)):
            yield Document(str(number), text, "")

    def _texts(self, first: int) -> Iterator[str]:
        for number, row in enumerate(self._rows(first), start=first):
            if self.text_column not in row:
                raise ConfigError.at(("text_column",), unknown("column", self.text_column, row))
            text = row[self.text_column]
            if not is_text(text):
                problem = f"must be text, but row {number} has {str(text)[:80]!r}"
                raise ConfigError.at(("text_column",), problem)
            yield text

    def _rows(self, first: int) -> Iterator[Mapping[str, Any]]:
        if Path(self.dataset).exists():  # the library would read that, whatever the revision says
            here = f"{self.dataset!r} is also a file or folder here: the corpus 'local' reads those"
            raise ConfigError.at(("dataset",), here)
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        import datasets

        try:
            stream = datasets.load_dataset(
                self.dataset, self.config, split=self.split, revision=self.revision, streaming=True
            )
            yield from stream.skip(first) if first else stream
        except Exception as error:  # of many kinds, without a common one
            reason = " ".join(str(error).split())[:300]
            problem = f"cannot be read from the Hub: {type(error).__name__}: {reason}"
            kept = f"{first} of its rows are kept here; a connection is needed for more"
            raise ConfigError.at(("dataset",), f"{self.dataset} {problem}; {kept}") from error
