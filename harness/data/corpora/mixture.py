"""Several corpora as one, each with its share of the text."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from harness.data.corpora import CORPUS, Corpus, Document
from harness.errors import ConfigError


@with_config(ConfigDict(extra="forbid", strict=True))
class Part(TypedDict):
    """A corpus of texts, and its weight beside the others'."""

    corpus: str | dict[str, Any]
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)]


@CORPUS.register("mixture")
class Mixture(Corpus):
    """Documents of several corpora, so that each part has the share that its weight says.

    Shares are of the text in UTF-8 bytes, which is the nearest to tokens that no tokenizer changes.
    The next document is always one of the part that is furthest behind, so any first documents
    are mixed alike, and the mixture ends with the first part that has no more: nothing is
    repeated. The order of the keys says nothing.

    What is held out has documents of each part in proportion to their number: the strata are those
    of the parts, and ids begin with the part's name.

    Options:
        parts: By name, each with a `corpus` of texts and a `weight` > 0; two or more.
    """

    def __init__(self, *, parts: Annotated[dict[str, Part], Field(min_length=2)]) -> None:
        self.weights = {name: parts[name]["weight"] for name in sorted(parts)}
        self.parts = {name: _build(name, parts[name]) for name in self.weights}

    @classmethod
    def complete(cls, options: Mapping[str, Any], dims: object) -> dict[str, Any]:
        """Write the corpus of each part with all of its options."""
        parts = {}
        for name, part in options["parts"].items():
            try:
                parts[name] = {**part, "corpus": CORPUS.resolve(part["corpus"]).to_dict()}
            except ConfigError as error:
                raise error.within("parts", name, "corpus") from None
        return {"parts": parts}

    def pinned(self) -> Mapping[str, Any] | None:
        """Return the weights and what determines the parts, if all of them are pinned."""
        pinned = {name: corpus.pinned() for name, corpus in self.parts.items()}
        if not all(pinned.values()):
            return None
        return {"mixture": {name: [self.weights[name], pinned[name]] for name in pinned}}

    def documents(self) -> Iterator[Document]:
        """Yield the documents, the part that is furthest behind first.

        Raises:
            ConfigError: a part cannot be found or read.
        """
        waiting = {name: corpus.documents() for name, corpus in self.parts.items()}
        progress = dict.fromkeys(self.parts, 0.0)  # bytes over weight
        while True:
            name = min(progress, key=progress.__getitem__)
            try:
                document = next(waiting[name], None)
            except ConfigError as error:
                raise error.within("parts", name, "corpus") from None
            if document is None:
                return
            progress[name] += len(document.text.encode()) / self.weights[name]
            yield replace(
                document, id=f"{name}/{document.id}", stratum=f"{name}/{document.stratum}"
            )


def _build(name: str, part: Part) -> Corpus:
    try:
        source = CORPUS.build(CORPUS.resolve(part["corpus"]))
    except ConfigError as error:
        raise error.within("parts", name, "corpus") from None
    if not isinstance(source, Corpus):
        raise ConfigError.at(("parts", name, "corpus"), "must be a corpus of texts")
    return source
