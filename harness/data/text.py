"""Datasets of documents: from a configuration to tokens on disk."""

import functools
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
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


def load(config: DataConfig, encoded_like: TokenDataset | None = None) -> TokenDataset:
    """Open the tokens in the cache, after building them if they are not there.

    With `encoded_like` the tokenizer is that dataset's, whatever texts are here.
    """
    seen = _look(config)
    stream = config.model_copy(update={"packing": "stream"})  # packing changes no token
    folder = cache_root() / "datasets" / _fingerprint(stream, seen, encoded_like)
    tokenizer = encoded_like.tokenizer if encoded_like else None
    open_or_build(folder, functools.partial(_build, config, seen, tokenizer))
    name = _fingerprint(config, seen, encoded_like)
    dataset = replace(_open(config, folder), fingerprint=name)
    return dataset if seen is None else replace(dataset, left_out=seen.left_out)


def kept(config: DataConfig, entries: Sequence[Entry]) -> dict[str, frozenset[str]]:
    """Return the digests of the documents that are not trained on: `held_out`, and any `report`.

    Raises:
        ConfigError: there are too few documents.
    """
    split, n = SPLIT.build(config.split), config.held_out_documents
    try:
        held_out = split.hold_out(entries, n)
        if not config.report_documents:
            return {"held_out": held_out}
        report = split.hold_out(entries, n + config.report_documents) - held_out
    except ConfigError as error:
        raise error.within("corpus") from None
    if len(report) != config.report_documents:
        most = f"must be at most {len(report)} beside held_out_documents of {n}"
        half = "as no more than half of all documents are held out"
        message = f"{most}, {half}, but got {config.report_documents}"
        raise ConfigError.at(("report_documents",), message)
    return {"held_out": held_out, "report": report}


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


def _fingerprint(
    config: DataConfig, seen: _Seen | None, encoded_like: TokenDataset | None = None
) -> str:
    content: dict[str, Any] = {
        "format": DATA_FORMAT,
        "held_out": [config.held_out_documents, config.held_out_bytes],
    }
    if encoded_like:
        content["encoded_like"] = encoded_like.fingerprint
    if seen is None:
        content |= {"pinned": config.pinned(), "max_documents": config.max_documents}
    else:
        content["documents"] = [[entry.id, entry.stratum, entry.digest] for entry in seen.entries]
    return config.identify(content)


def _build(
    config: DataConfig, seen: _Seen | None, tokenizer: Tokenizer | None, folder: Path
) -> None:
    """Write `tokenizer/`, `train.bin`, `held_out.bin`, perhaps `report.bin`, and `dataset.json`."""
    entries, left_out = seen or _read(config)
    sides = kept(config, entries)
    side_of = {digest: side for side, digests in sides.items() for digest in digests}
    if tokenizer is None:
        tokenizer = config.build_tokenizer()
        tokenizer.train(text for entry, text in config.documents() if entry.digest not in side_of)
    (folder / "tokenizer").mkdir()
    tokenizer.save(folder / "tokenizer")

    separators = SPLIT[config.split.name].separators
    dtype, end = _dtype(tokenizer), [tokenizer.separator] * separators
    index: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    read: list[Entry] = []
    n_train_bytes = 0
    with ExitStack() as stack:
        files = {
            s: stack.enter_context((folder / f"{s}.bin").open("wb")) for s in ("train", *sides)
        }
        for entry, text in config.documents():
            read.append(entry)
            side = side_of.get(entry.digest)
            if side:
                text = excerpt(text, config.held_out_bytes)
                ids = [tokenizer.separator, *tokenizer.encode([text])[0]]
                size = len(text.encode()) * tokenizer.of_text
                index[side].append({"id": entry.id, "n_tokens": len(ids), "n_bytes": size})
            else:
                ids = [*tokenizer.encode([text])[0], *end]
                n_train_bytes += len(text.encode())
            files[side or "train"].write(np.array(ids, dtype).tobytes())
    if read != entries:
        raise AblateError(f"the corpus {config.corpus.name!r} changed while it was read: try again")
    facts = {
        "n_train_bytes": n_train_bytes,
        "n_train_documents": len(read) - sum(map(len, index.values())),
        "left_out": left_out,
    }
    (folder / "dataset.json").write_text(json.dumps({**facts, **index}), "utf-8")


def _open(config: DataConfig, folder: Path) -> TokenDataset:
    name, options = config.tokenizer.name, config.tokenizer.options
    tokenizer = TOKENIZER[name].load(folder / "tokenizer", **options)
    facts = json.loads((folder / "dataset.json").read_text("utf-8"))
    train = np.memmap(folder / "train.bin", _dtype(tokenizer), mode="r")
    dataset = TokenDataset(
        separator=tokenizer.separator if config.packing == "documents" else None,
        train=train,
        held_out=_excerpts(folder / "held_out.bin", facts["held_out"], tokenizer),
        report=_excerpts(folder / "report.bin", facts.get("report", []), tokenizer),
        tokenizer=tokenizer,
        fingerprint=folder.name,
        n_train_bytes=facts["n_train_bytes"],
        n_train_documents=facts["n_train_documents"],
        left_out=facts.get("left_out", {}),  # caches of earlier versions lack it
    )
    places = SPLIT.build(config.split).windows(len(train))
    return dataset if places is None else places.divide(dataset)


def _excerpts(file: Path, index: Sequence[dict[str, Any]], tokenizer: Tokenizer) -> list[HeldOut]:
    if not index:
        return []
    tokens = np.fromfile(file, _dtype(tokenizer))
    ends = np.cumsum([item["n_tokens"] for item in index])
    return [
        HeldOut(item["id"], tokens[end - item["n_tokens"] : end], item["n_bytes"])
        for item, end in zip(index, ends, strict=True)
    ]


def _dtype(tokenizer: Tokenizer) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest unsigned integer that holds every id, little-endian on every machine."""
    return np.dtype("<u2" if tokenizer.vocab_size <= 2**16 else "<u4")
