"""From a configuration to tokens on disk: fingerprint, build, open."""

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.cache import cache_root, open_or_build
from harness.data.config import DataConfig
from harness.data.split import Entry, excerpt, hold_out
from harness.data.tokenizers import TOKENIZER, Tokenizer
from harness.errors import AblateError, ConfigError

__all__ = ["DataConfig", "Dataset", "HeldOut", "fingerprint", "load_dataset"]

DATA_FORMAT = 1  # raise it when the same configuration should give other tokens or other files
Tokens = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class HeldOut:
    """The scored excerpt of one document: a separator and then `n_bytes` of UTF-8 as ids."""

    id: str
    tokens: Tokens
    n_bytes: int


@dataclass(frozen=True)
class Dataset:
    """Tokens for training, each document followed by a separator, and excerpts for evaluation."""

    train: Tokens
    held_out: list[HeldOut]
    tokenizer: Tokenizer
    fingerprint: str
    n_train_bytes: int
    n_train_documents: int

    @property
    def vocab_size(self) -> int:
        """How many ids the tokenizer has."""
        return self.tokenizer.vocab_size


def fingerprint(config: DataConfig) -> str:
    """Identify the content that enters, without tokenising it: 16 hexadecimal digits.

    Raises:
        ConfigError: the corpus cannot be found or read.
    """
    return _fingerprint(config, [entry for entry, _ in config.documents()])


def load_dataset(config: DataConfig) -> Dataset:
    """Open the dataset in the cache, after building it if it is not there.

    Raises:
        ConfigError: the corpus cannot be found or read, or is too small to be split.
        AblateError: the cache cannot be written.
    """
    entries = [entry for entry, _ in config.documents()]
    folder = cache_root() / "datasets" / _fingerprint(config, entries)
    open_or_build(folder, functools.partial(_build, config, entries))
    return _open(config, folder)


def _fingerprint(config: DataConfig, entries: Sequence[Entry]) -> str:
    content = {
        "format": DATA_FORMAT,
        "tokenizer": TOKENIZER.non_default(config.tokenizer),
        "held_out": [config.held_out_documents, config.held_out_bytes],
        "documents": [[entry.id, entry.stratum, entry.digest] for entry in entries],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _build(config: DataConfig, entries: Sequence[Entry], folder: Path) -> None:
    """Write `tokenizer/`, `train.bin`, `held_out.bin` and `dataset.json`."""
    try:
        held_out = hold_out(entries, config.held_out_documents)
    except ConfigError as error:
        raise error.within("corpus") from None
    tokenizer = TOKENIZER.build(config.tokenizer)
    tokenizer.train(text for entry, text in config.documents() if entry.digest not in held_out)
    (folder / "tokenizer").mkdir()
    tokenizer.save(folder / "tokenizer")

    dtype = _dtype(tokenizer)
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
                size = len(text.encode())
                index.append({"id": entry.id, "n_tokens": len(ids), "n_bytes": size})
            else:
                ids = [*tokenizer.encode([text])[0], tokenizer.separator]
                train.write(np.array(ids, dtype).tobytes())
                n_train_bytes += len(text.encode())
    if read != entries:
        raise AblateError(f"the corpus {config.corpus.name!r} changed while it was read: try again")
    facts = {"n_train_bytes": n_train_bytes, "n_train_documents": len(read) - len(index)}
    (folder / "dataset.json").write_text(json.dumps({**facts, "held_out": index}), "utf-8")


def _open(config: DataConfig, folder: Path) -> Dataset:
    name, options = config.tokenizer.name, config.tokenizer.options
    tokenizer = TOKENIZER[name].load(folder / "tokenizer", **options)
    facts = json.loads((folder / "dataset.json").read_text("utf-8"))
    scored = np.fromfile(folder / "held_out.bin", _dtype(tokenizer))
    ends = np.cumsum([item["n_tokens"] for item in facts["held_out"]])
    return Dataset(
        train=np.memmap(folder / "train.bin", _dtype(tokenizer), mode="r"),
        held_out=[
            HeldOut(item["id"], scored[end - item["n_tokens"] : end], item["n_bytes"])
            for item, end in zip(facts["held_out"], ends, strict=True)
        ],
        tokenizer=tokenizer,
        fingerprint=folder.name,
        n_train_bytes=facts["n_train_bytes"],
        n_train_documents=facts["n_train_documents"],
    )


def _dtype(tokenizer: Tokenizer) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest unsigned integer that holds every id, little-endian on every machine."""
    return np.dtype("<u2" if tokenizer.vocab_size <= 2**16 else "<u4")
