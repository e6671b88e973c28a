"""What every dataset offers: rows to train on, and excerpts to be scored on."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.core.targets import IGNORE
from harness.data.order import BatchOrder, Ids, Order, Tokens, Windows
from harness.data.tokenizers import Tokenizer
from harness.errors import ConfigError


@dataclass(frozen=True)
class HeldOut:
    """Tokens that are scored, all but the first: a separator or whatever came before.

    `n_bytes` are those of the scored text in UTF-8, 0 if it is none or they are not known.
    `scored` says which tokens after the first count, if not all do.
    """

    id: str
    tokens: Tokens
    n_bytes: int
    scored: npt.NDArray[np.bool_] | None = None

    def windows(self, seq_len: int) -> Iterator[tuple[Ids, Ids]]:
        """Yield tokens and targets of consecutive windows of at most `seq_len` tokens."""
        targets = self.tokens[1:].astype(np.int64)
        if self.scored is not None:
            targets = np.where(self.scored, targets, IGNORE)
        for start in range(0, len(targets), seq_len):
            part = slice(start, start + seq_len)
            yield self.tokens[:-1][part].astype(np.int64), targets[part]


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """What a run is trained and scored on.

    `report` is held out too, and never scored in training. `separator` is the id that tells
    documents apart, where they must not see each other.
    """

    held_out: Sequence[HeldOut]
    report: Sequence[HeldOut] = ()
    tokenizer: Tokenizer
    fingerprint: str
    separator: int | None = None

    @property
    def vocab_size(self) -> int:
        """How many ids the tokenizer has."""
        return self.tokenizer.vocab_size

    @abstractmethod
    def order(self, batch_size: int, seq_len: int, seed: int) -> Order:
        """Return what each step trains on.

        Raises:
            ConfigError: there is not enough for one batch, or `seq_len` does not fit.
        """


@dataclass(frozen=True, kw_only=True)
class TokenDataset(Dataset):
    """A stream of tokens, each document of which is followed by a separator, if it has any.

    `left_out` counts the documents that did not enter, by reason. A split into windows says where
    those of training start (`places`) and how long all of them are (`seq_len`).
    """

    train: Tokens
    n_train_bytes: int = 0
    n_train_documents: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    places: Ids | None = None
    seq_len: int | None = None

    def order(self, batch_size: int, seq_len: int, seed: int) -> Windows:
        """Return the windows of each step.

        Raises:
            ConfigError: the text does not fill a batch, or is split into windows of another length.
        """
        if self.seq_len not in (None, seq_len):
            must = f"must be {self.seq_len}, the length of the windows that the text is split into"
            raise ConfigError.at(("seq_len",), f"{must}, but got {seq_len}")
        order = BatchOrder(len(self.train), batch_size, seq_len, seed, self.places)
        return Windows(self.train, order, self.separator)
