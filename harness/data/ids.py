"""Datasets of ids that a tokenizer has made elsewhere: nothing is copied."""

from dataclasses import replace

import numpy as np

from harness.data.base import HeldOut, TokenDataset
from harness.data.config import DataConfig
from harness.data.corpora import IdCorpus
from harness.data.order import Tokens
from harness.data.splits import SPLIT
from harness.errors import ConfigError

REACH = 2**20  # ids before the end of training among which the end of a document is looked for


def fingerprint(config: DataConfig, corpus: IdCorpus) -> str:
    """Identify the ids and what is made of them."""
    try:
        content = {"ids": corpus.digest(), "excerpt": corpus.excerpt}
    except ConfigError as error:
        raise error.within("corpus") from None
    return config.identify({**content, "held_out": config.held_out_documents})


def load(config: DataConfig, corpus: IdCorpus) -> TokenDataset:
    """Map the ids into memory and divide them."""
    name = fingerprint(config, corpus)
    tokenizer = config.build_tokenizer()
    train = corpus.ids()
    if len(train) and not 0 <= train.min() <= train.max() < tokenizer.vocab_size:
        found = f"has ids from {train.min()} to {train.max()}"
        raise ConfigError.at(
            ("corpus",), f"{found}, but the tokenizer's are below {tokenizer.vocab_size}"
        )
    apart = tokenizer.separator if config.packing == "documents" else None
    dataset = TokenDataset(
        train=train, held_out=[], tokenizer=tokenizer, fingerprint=name, separator=apart
    )
    places = SPLIT.build(config.split).windows(len(train))
    if places is not None:
        return places.divide(dataset)
    return _hold_out_end(dataset, config.held_out_documents, corpus.excerpt)


def _hold_out_end(dataset: TokenDataset, n: int, length: int) -> TokenDataset:
    """Hold out `n` excerpts from the end on, each `length` ids, together at most half of all."""
    ids, tokenizer = dataset.train, dataset.tokenizer
    length = min(length, len(ids) // 2 // n)
    if not length:
        raise ConfigError.at(("corpus",), f"{len(ids)} ids are too few to hold {n} excerpts out")
    start = _start_of_document(ids, len(ids) - n * length - 1, tokenizer.separator)
    excerpts = [ids[a : a + length + 1] for a in range(start, start + n * length, length)]
    sizes = [len(tokenizer.decode(e[1:]).encode()) * tokenizer.of_text for e in excerpts]
    held_out = [
        HeldOut(f"excerpt {i}", excerpt, size)
        for i, (excerpt, size) in enumerate(zip(excerpts, sizes, strict=True))
    ]
    return replace(dataset, train=ids[:start], held_out=held_out)


def _start_of_document(ids: Tokens, place: int, separator: int) -> int:
    """Return the last place up to `place` that holds a separator, if there is one near."""
    first = max(place // 2, place - REACH)
    separators = np.flatnonzero(ids[first : place + 1] == separator)
    return first + int(separators[-1]) if len(separators) else place
