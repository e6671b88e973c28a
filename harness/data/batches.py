"""The order of training, which depends on the seed and the step alone, and batches to evaluate."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int64
from torch import Tensor

from harness.data.dataset import Dataset, HeldOut, Tokens
from harness.errors import ConfigError

IGNORE = -100  # a target that is not scored: the default of torch's cross entropy
Batch = tuple[Int64[Tensor, "B T"], Int64[Tensor, "B T"]]  # tokens, and the token after each


@dataclass(frozen=True)
class BatchOrder:
    """Which windows of `seq_len` tokens form the batch of a step.

    Windows do not overlap. Every epoch is a permutation of them by (seed, epoch), and drops those
    that do not fill a batch.

    Raises:
        ConfigError: there are fewer windows than a batch has rows.
    """

    n_tokens: int
    batch_size: int
    seq_len: int
    seed: int

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
        return (self.n_tokens - 1) // self.seq_len

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass."""
        return self.n_windows // self.batch_size

    @property
    def tokens_per_epoch(self) -> int:
        """Targets in one pass."""
        return self.steps_per_epoch * self.batch_size * self.seq_len

    def starts(self, step: int) -> npt.NDArray[np.int64]:
        """Return the position of the first token of each row, for any step from 0 on."""
        assert step >= 0
        epoch, batch = divmod(step, self.steps_per_epoch)
        windows = _permutation(self.n_windows, self.seed, epoch)
        return windows[batch * self.batch_size :][: self.batch_size] * self.seq_len


@dataclass(frozen=True)
class Batches:
    """The batches of a dataset by step, without end: `batches[step]`."""

    tokens: Tokens
    order: BatchOrder
    device: torch.device

    def __getitem__(self, step: int) -> Batch:
        columns = np.arange(self.order.seq_len + 1)
        rows = self.tokens[self.order.starts(step)[:, None] + columns]
        batch = torch.from_numpy(rows.astype(np.int64))
        if self.device.type == "cuda":  # so that the copy does not wait for the previous step
            batch = batch.pin_memory()
        batch = batch.to(self.device, non_blocking=True)
        return batch[:, :-1].contiguous(), batch[:, 1:].contiguous()


def batches(
    dataset: Dataset, batch_size: int, seq_len: int, seed: int, device: torch.device
) -> Batches:
    """Put the training tokens in the order of a seed.

    Raises:
        ConfigError: the text does not fill one batch.
    """
    order = BatchOrder(len(dataset.train), batch_size, seq_len, seed)
    return Batches(dataset.train, order, device)


@dataclass(frozen=True)
class EvaluationBatch:
    """Windows of held-out text, padded on the right; `document` is the index of each row's."""

    tokens: Int64[Tensor, "B T"]
    targets: Int64[Tensor, "B T"]
    document: Int64[Tensor, " B"]


def evaluation_batches(
    held_out: Sequence[HeldOut], batch_size: int, seq_len: int
) -> list[EvaluationBatch]:
    """Cut every excerpt into windows so that each token after the separator is a target once.

    The longest windows come first and a batch is as wide as its longest, at most `seq_len`.
    """
    windows = [
        (index, torch.from_numpy(document.tokens[start : start + seq_len + 1].astype(np.int64)))
        for index, document in enumerate(held_out)
        for start in range(0, len(document.tokens) - 1, seq_len)
    ]
    windows.sort(key=lambda window: -len(window[1]))  # stable: equal lengths keep their order
    return [
        EvaluationBatch(
            tokens=_padded([window[:-1] for _, window in rows], 0),
            targets=_padded([window[1:] for _, window in rows], IGNORE),
            document=torch.tensor([index for index, _ in rows]),
        )
        for rows in (windows[i : i + batch_size] for i in range(0, len(windows), batch_size))
    ]


def _padded(rows: list[Tensor], value: int) -> Int64[Tensor, "B T"]:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)


@functools.lru_cache(maxsize=2)
def _permutation(n: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    name = repr((seed, "order", epoch)).encode()
    key = int.from_bytes(hashlib.blake2b(name, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key)).permutation(n)
