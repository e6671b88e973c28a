"""Splits: what is kept for evaluation. Registry name and file name are the same."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from harness.core.registry import Registry
from harness.data.base import HeldOut, TokenDataset
from harness.data.order import Ids
from harness.data.split import Entry


@dataclass(frozen=True)
class WindowPlaces:
    """Where windows of `seq_len` tokens start in the first `n_tokens` of a stream.

    Of those held out, an evaluation scores the first `n_scored`.
    """

    train: Ids
    held_out: Ids
    n_scored: int
    n_tokens: int
    seq_len: int

    def divide(self, dataset: TokenDataset) -> TokenDataset:
        """Return the dataset with its windows divided so."""
        ends = [(place, place + self.seq_len + 1) for place in self.held_out[: self.n_scored]]
        return replace(
            dataset,
            train=dataset.train[: self.n_tokens],
            held_out=[HeldOut(f"window {a}", dataset.train[a:b], n_bytes=0) for a, b in ends],
            places=self.train,
            seq_len=self.seq_len,
        )


class Split(ABC):
    """How what is scored is chosen, constructed with keyword-only options."""

    fault: ClassVar[str] = ""  # what is known to be wrong with it, of one kept to show that
    separators: ClassVar[bool] = True  # whether documents are told apart in the stream

    @abstractmethod
    def hold_out(self, entries: Sequence[Entry], n: int) -> frozenset[str]:
        """Choose the digests of `n` documents; they are not trained on.

        Raises:
            ConfigError: there are too few documents.
        """

    def windows(self, n_tokens: int) -> WindowPlaces | None:
        """Divide the windows of all tokens, if documents are not what is held out."""
        return None


SPLIT: Registry[Split] = Registry("split", Split, "harness.data.splits")
