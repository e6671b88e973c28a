"""The order of training, which depends on the seed and the step alone."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from harness.data.shuffle import shuffled
from harness.errors import ConfigError

Ids = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.integer[Any]]


class Rows(NamedTuple):
    """What a step trains on: B rows of T tokens, and the target of each."""

    tokens: Ids
    targets: Ids
    documents: Ids | None = None  # ids, where a row holds several that do not see each other


class Order(Protocol):
    """The rows of every step from 0 on, without end."""

    @property
    def tokens_per_epoch(self) -> float:
        """Tokens before anything is seen again; infinite if nothing ever is."""

    def rows(self, step: int) -> Rows:
        """Return what a step trains on; any step can be asked for at any time."""


@dataclass(frozen=True)
class BatchOrder:
    """Which windows of `seq_len` tokens form the batch of a step.

    Windows do not overlap, unless a split says where they start: `places`. Every epoch is a
    permutation of them by (seed, epoch), and drops those that do not fill a batch.

    Raises:
        ConfigError: there are fewer windows than a batch has rows.
    """

    n_tokens: int
    batch_size: int
    seq_len: int
    seed: int
    places: Ids | None = None

    def __post_init__(self) -> None:
        if self.n_windows < self.batch_size:
            has = f"the training text has {self.n_windows} windows of {self.seq_len} tokens"
            advice = "lower batch_size or seq_len, or add documents"
            raise ConfigError.at(
                ("batch_size",), f"{has}, fewer than one batch of {self.batch_size}: {advice}"
            )

    @property
    def n_windows(self) -> int:
        """Windows in the text; the last token can only be a target."""
        if self.places is not None:
            return len(self.places)
        return (self.n_tokens - 1) // self.seq_len

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass."""
        return self.n_windows // self.batch_size

    @property
    def tokens_per_epoch(self) -> int:
        """Targets in one pass."""
        return self.steps_per_epoch * self.batch_size * self.seq_len

    def starts(self, step: int) -> Ids:
        """Return the position of the first token of each row, for any step from 0 on."""
        assert step >= 0
        epoch, batch = divmod(step, self.steps_per_epoch)
        first = batch * self.batch_size
        chosen = shuffled(first, self.batch_size, self.n_windows, self.seed, epoch)
        return chosen * self.seq_len if self.places is None else self.places[chosen]


@dataclass(frozen=True)
class Windows:
    """Windows of a stream of tokens; with a `separator`, its documents are told apart."""

    tokens: Tokens
    order: BatchOrder
    separator: int | None = None

    @property
    def tokens_per_epoch(self) -> int:
        """Targets in one pass; of windows that overlap, each once."""
        return min(self.order.tokens_per_epoch, len(self.tokens) - 1)

    def rows(self, step: int) -> Rows:
        """Return the windows of a step."""
        columns = np.arange(self.order.seq_len + 1)
        windows = self.tokens[self.order.starts(step)[:, None] + columns].astype(np.int64)
        tokens, targets = windows[:, :-1], windows[:, 1:]
        return Rows(tokens, targets, document_ids(tokens, self.separator))


def document_ids(tokens: Ids, separator: int | None) -> Ids | None:
    """Count the documents of each row from 0; None if they are not told apart.

    A separator begins a document as a token and ends the one before it as a target. So the target
    of every token belongs to the token's own document, and a first word is predicted from the
    separator alone, as it is where documents are scored.
    """
    return None if separator is None else (tokens == separator).cumsum(1)
