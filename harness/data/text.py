"""Datasets of documents: from a configuration to tokens on disk."""

import functools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.data.base import HeldOut, TokenDataset
from harness.data.cache import cache_root, open_or_build
from harness.data.config import DataConfig
from harness.data.split import Entry, excerpt
from harness.data.splits import SPLIT
from harness.data.tokenizers import TOKENIZER, Tokenizer
from harness.errors import AblateError, ConfigError

DATA_FORMAT = 1  # raise it when the same configuration should give other tokens or other files


def fingerprint(config: DataConfig) -> str:
    """Identify the documents that enter and what is made of them, without tokenising."""
    return _fingerprint(config, _look(config))


def load(config: DataConfig) -> TokenDataset:
    """Open the tokens in the cache, after building them if they are not there."""
    seen = _look(config)
    stream = config.model_copy(update={"packing": "stream"})  # packing changes no token
    folder = cache_root() / "datasets" / _fingerprint(stream, seen)
    open_or_build(folder, functools.partial(_build, config, seen))
    dataset = replace(_open(config, folder), fingerprint=_fingerprint(config, seen))
    return dataset if seen is None else replace(dataset, left_out=seen.left_out)


class _Seen(NamedTuple):
    """The documents that enter, without their texts, and how many others there are by reason."""

    entries: list[Entry]
    left_out: Counter[str]


def _look(config: DataConfig) -> _Seen | None:
    """Read which documents enter, unless a pinned corpus tells without being read: then None."""
    return None if config.pinned() else _read(config)


def _read(config: DataConfig) -> _Seen:
    left_out: Counter[str] = Counter()
    return _Seen([entry for entry, _ in config.documents(left_out)], left_out)


def _fingerprint(config: DataConfig, seen: _Seen | None) -> str:
    content: dict[str, Any] = {
        "format": DATA_FORMAT,
        "held_out": [config.held_out_documents, config.held_out_bytes],
    }
    if seen is None:
        content |= {"pinned": config.pinned(), "max_documents": config.max_documents}
    else:
        content["documents"] = [[entry.id, entry.stratum, entry.digest] for entry in seen.entries]
    return config.identify(content)


def _build(config: DataConfig, seen: _Seen | None, folder: Path) -> None:
    """Write `tokenizer/`, `train.bin`, `held_out.bin` and `dataset.json`."""
    entries, left_out = seen or _read(config)
    split = SPLIT.build(config.split)
    try:
        held_out = split.hold_out(entries, config.held_out_documents)
    except ConfigError as error:
        raise error.within("corpus") from None
    tokenizer = config.build_tokenizer()
    tokenizer.train(text for entry, text in config.documents() if entry.digest not in held_out)
    (folder / "tokenizer").mkdir()
    tokenizer.save(folder / "tokenizer")

    dtype, end = _dtype(tokenizer), [tokenizer.separator] * split.separators
    index: list[dict[str, Any]] = []
    read: list[Entry] = []
    n_train_bytes = 0
    with (folder / "train.bin").open("wb") as train, (folder / "held_out.bin").open("wb") as scored:
        for entry, text in config.documents():
            read.append(entry)
            if entry.digest in held_out:
                text = excerpt(text, config.held_out_bytes)
                ids = [tokenizer.separator, *tokenizer.encode([text])[0]]
                scored.write(np.array(ids, dtype).tobytes())
                size = len(text.encode()) * tokenizer.of_text
                index.append({"id": entry.id, "n_tokens": len(ids), "n_bytes": size})
            else:
                ids = [*tokenizer.encode([text])[0], *end]
                train.write(np.array(ids, dtype).tobytes())
                n_train_bytes += len(text.encode())
    if read != entries:
        raise AblateError(f"the corpus {config.corpus.name!r} changed while it was read: try again")
    facts = {
        "n_train_bytes": n_train_bytes,
        "n_train_documents": len(read) - len(index),
        "left_out": left_out,
        "held_out": index,
    }
    (folder / "dataset.json").write_text(json.dumps(facts), "utf-8")


def _open(config: DataConfig, folder: Path) -> TokenDataset:
    name, options = config.tokenizer.name, config.tokenizer.options
    tokenizer = TOKENIZER[name].load(folder / "tokenizer", **options)
    facts = json.loads((folder / "dataset.json").read_text("utf-8"))
    train = np.memmap(folder / "train.bin", _dtype(tokenizer), mode="r")
    scored = np.fromfile(folder / "held_out.bin", _dtype(tokenizer))
    ends = np.cumsum([item["n_tokens"] for item in facts["held_out"]])
    dataset = TokenDataset(
        separator=tokenizer.separator if config.packing == "documents" else None,
        train=train,
        held_out=[
            HeldOut(item["id"], scored[end - item["n_tokens"] : end], item["n_bytes"])
            for item, end in zip(facts["held_out"], ends, strict=True)
        ],
        tokenizer=tokenizer,
        fingerprint=folder.name,
        n_train_bytes=facts["n_train_bytes"],
        n_train_documents=facts["n_train_documents"],
        left_out=facts.get("left_out", {}),  # caches of earlier versions lack it
    )
    places = SPLIT.build(config.split).windows(len(train))
    return dataset if places is None else places.divide(dataset)


def _dtype(tokenizer: Tokenizer) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest unsigned integer that holds every id, little-endian on every machine."""
    return np.dtype("<u2" if tokenizer.vocab_size <= 2**16 else "<u4")
