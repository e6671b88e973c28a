"""What a run is trained and evaluated on, as data."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import Field

from harness.core.registry import ComponentSpec, Registry
from harness.data.corpora import CORPUS
from harness.data.split import Entry, distinct
from harness.data.tokenizers import TOKENIZER
from harness.errors import ConfigError, Problem
from harness.schema import Frozen, parse

REGISTRIES: dict[str, Registry[Any]] = {"corpus": CORPUS, "tokenizer": TOKENIZER}
DEFAULTS = {"corpus": "sotu", "tokenizer": "bpe"}


class DataConfig(Frozen):
    """A corpus, a tokenizer and a split.

    Options:
        corpus: where the documents come from.
        tokenizer: how they become ids; learned from the training documents only.
        held_out_documents: documents kept for evaluation, never more than half of all.
        held_out_bytes: UTF-8 bytes scored of each, from its middle; 0 scores it whole.
        max_documents: use only the first ones of the corpus; `null` uses all.
    """

    corpus: ComponentSpec = Field(default_factory=lambda: CORPUS.resolve(DEFAULTS["corpus"]))
    tokenizer: ComponentSpec = Field(
        default_factory=lambda: TOKENIZER.resolve(DEFAULTS["tokenizer"])
    )
    held_out_documents: int = Field(default=32, ge=1)
    held_out_bytes: int = Field(default=4096, ge=0)
    max_documents: int | None = Field(default=None, ge=2)

    @classmethod
    def read(cls, data: object) -> Self:
        """Validate what YAML says, where a component is a name or a mapping with `name`.

        Raises:
            ConfigError: all problems at once, each with its path below `data`.
        """
        given = dict(data) if isinstance(data, Mapping) else data
        problems: list[Problem] = []
        for key, registry in REGISTRIES.items():
            if isinstance(given, dict) and key in given:
                if isinstance(given[key], Mapping):  # without a name: options of the default
                    given[key] = {"name": DEFAULTS[key], **given[key]}
                try:
                    given[key] = registry.resolve(given[key])
                except ConfigError as error:
                    problems += error.within(key).problems
                    del given[key]
        try:
            config = parse(cls, given)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(*problems)
        return config

    def to_dict(self) -> dict[str, Any]:
        """Write the complete configuration as YAML would; `read` takes it back."""
        return {
            **self.model_dump(exclude=set(REGISTRIES)),
            **{key: getattr(self, key).to_dict() for key in REGISTRIES},
        }

    @property
    def vocab_size(self) -> int:
        """How many ids the tokenizer has or will have; the data is not touched."""
        return TOKENIZER.build(self.tokenizer).vocab_size

    def documents(self) -> Iterator[tuple[Entry, str]]:
        """Read the entry and text of every document that enters.

        Raises:
            ConfigError: the corpus cannot be found or read.
        """
        try:
            corpus = CORPUS.build(self.corpus)
            yield from itertools.islice(distinct(corpus.documents()), self.max_documents)
        except ConfigError as error:
            raise error.within("corpus") from None
        except OSError as error:
            raise ConfigError.at(("corpus",), f"cannot be read: {error}") from error
