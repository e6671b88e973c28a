"""Batches of tensors: those of training by step, and those that a model is scored on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from harness.core.targets import IGNORE
from harness.data.base import Dataset, HeldOut
from harness.data.order import Ids, Order, document_ids


class Batch(NamedTuple):
    """Tokens, and the token after each; targets of -100 are not scored."""

    tokens: Int64[Tensor, "B T"]
    targets: Int64[Tensor, "B T"]
    documents: Int64[Tensor, "B T"] | None = None  # ids, where they must not see each other

    def to(self, device: torch.device) -> "Batch":
        """Return it on a device, without waiting for what is already under way there."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    @property
    def n_targets(self) -> Int64[Tensor, ""]:
        """How many targets are scored."""
        return (self.targets != IGNORE).sum()

    def rows(self, part: slice) -> "Batch":
        """Return some of its rows."""
        return self._each(lambda tensor: tensor[part])

    def cut(self, seq_len: int) -> "Batch":
        """Return its rows cut into several of `seq_len` tokens, which must divide theirs."""
        return self._each(lambda tensor: tensor.reshape(-1, seq_len))

    def chunk(self, n: int) -> "list[Batch]":
        """Return it in at most `n` parts of as many rows each; the last may have fewer."""
        size = -(-len(self.tokens) // n)
        starts = range(0, len(self.tokens), size)
        return [self.rows(slice(start, start + size)) for start in starts]

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        tokens, targets, documents = self
        apart = None if documents is None else change(documents)
        return Batch(change(tokens), change(targets), apart)


@dataclass(frozen=True)
class Batches:
    """The batches of training by step, without end: `batches[step]`."""

    order: Order
    device: torch.device

    def __getitem__(self, step: int) -> Batch:
        tokens, targets, documents = self.order.rows(step)
        apart = None if documents is None else self._tensor(documents)
        return Batch(self._tensor(tokens), self._tensor(targets), apart)

    def _tensor(self, part: Ids) -> Int64[Tensor, "B T"]:
        tensor = torch.from_numpy(part).contiguous()
        if self.device.type == "cuda":  # so that the copy does not wait for the previous step
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)


def batches(
    dataset: Dataset, batch_size: int, seq_len: int, seed: int, device: torch.device
) -> Batches:
    """Put what a dataset trains on in the order of a seed.

    Raises:
        ConfigError: the text does not fill one batch.
    """
    return Batches(dataset.order(batch_size, seq_len, seed), device)


@dataclass(frozen=True)
class EvaluationBatch:
    """Windows of held-out text, padded on the right to the longest.

    `document` is the index of each row's document, `lengths` counts the tokens of each row.
    """

    tokens: Int64[Tensor, "B T"]
    targets: Int64[Tensor, "B T"]
    document: Int64[Tensor, " B"]
    lengths: Int64[Tensor, " B"]
    documents: Int64[Tensor, "B T"] | None = None  # as in training

    @property
    def real(self) -> Bool[Tensor, "B T"]:
        """Which tokens are no padding, be they scored or not."""
        return torch.arange(self.tokens.shape[1]) < self.lengths[:, None]


def evaluation_batches(
    held_out: Sequence[HeldOut], batch_size: int, seq_len: int, separator: int | None = None
) -> list[EvaluationBatch]:
    """Cut every excerpt into windows so that each scored token is a target once.

    The longest windows come first and a batch is as wide as its longest, at most `seq_len`.
    """
    windows = [
        (index, torch.from_numpy(tokens), torch.from_numpy(targets))
        for index, document in enumerate(held_out)
        for tokens, targets in document.windows(seq_len)
    ]
    windows.sort(key=lambda window: -len(window[1]))  # stable: equal lengths keep their order
    return [
        _batch(windows[i : i + batch_size], separator) for i in range(0, len(windows), batch_size)
    ]


def _batch(rows: list[tuple[int, Tensor, Tensor]], separator: int | None) -> EvaluationBatch:
    tokens = _padded([tokens for _, tokens, _ in rows], 0)
    documents = document_ids(tokens.numpy(), separator)
    return EvaluationBatch(
        tokens=tokens,
        targets=_padded([targets for *_, targets in rows], IGNORE),
        document=torch.tensor([index for index, *_ in rows]),
        lengths=torch.tensor([len(tokens) for _, tokens, _ in rows]),
        documents=None if documents is None else torch.from_numpy(documents),
    )


def _padded(rows: list[Tensor], value: int) -> Int64[Tensor, "B T"]:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
