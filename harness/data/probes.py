"""Datasets of probes: examples made as they are asked for, and a fixed set to be scored."""

import functools
import hashlib
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.core.targets import IGNORE
from harness.data.base import Dataset, HeldOut
from harness.data.corpora import Examples, Probe
from harness.data.order import Ids, Rows
from harness.data.randomness import generator
from harness.data.tokenizers import TOKENIZER
from harness.errors import ConfigError

SCORED = 512  # examples, all different; fewer if there are not so many
SHARE = 16  # one question in so many is never trained on
BLOCK = 64  # examples drawn at a time
ATTEMPTS = 100


@dataclass(frozen=True, kw_only=True)
class ProbeDataset(Dataset):
    """A stream of examples without end, and examples whose questions are never among them."""

    probe: Probe

    def order(self, batch_size: int, seq_len: int, seed: int) -> "ProbeOrder":
        """Return the examples of each step.

        Raises:
            ConfigError: an example is longer than `seq_len`.
        """
        return ProbeOrder(self.probe, batch_size, seq_len, seed)


@dataclass(frozen=True)
class ProbeOrder:
    """As many examples a row as fit, which do not see each other; the rest of it is not scored.

    Example i of a seed is the same one whatever the batch size.

    Raises:
        ConfigError: an example is longer than `seq_len`.
    """

    probe: Probe
    batch_size: int
    seq_len: int
    seed: int

    def __post_init__(self) -> None:
        if self.seq_len < self.span:
            must = f"must be {self.span} or more, the length of an example"
            raise ConfigError.at(("seq_len",), f"{must}, but got {self.seq_len}")

    @property
    def span(self) -> int:
        """Tokens of an example; its last id is only a target."""
        return self.probe.length - 1

    @property
    def tokens_per_epoch(self) -> float:
        """Nothing is planned to be seen twice."""
        return math.inf

    def rows(self, step: int) -> Rows:
        """Return the examples of a step, `seq_len // span` a row."""
        a_row = self.seq_len // self.span
        n = self.batch_size * a_row
        ids, answers = _stream(self.probe, self.seed, step * n, n)
        targets = np.where(answers, ids, IGNORE)[:, 1:]
        places = np.arange(self.seq_len) // self.span
        documents = np.tile(places, (self.batch_size, 1)) if a_row > 1 else None
        return Rows(self._fill(ids[:, :-1], 0), self._fill(targets, IGNORE), documents)

    def _fill(self, parts: Ids, value: int) -> Ids:
        rows = parts.reshape(self.batch_size, -1)
        return np.pad(rows, ((0, 0), (0, self.seq_len - rows.shape[1])), constant_values=value)


def fingerprint(probe: Probe) -> str:
    """Identify a probe by its examples: those scored, and the first of a stream."""
    digest = hashlib.sha256(repr((type(probe).__name__, probe.vocab_size)).encode())
    for part in (*_scored(probe), *_stream(probe, 0, 0, BLOCK)):
        digest.update(repr(part.shape).encode() + part.tobytes())
    return digest.hexdigest()[:16]


def load(probe: Probe) -> ProbeDataset:
    """Draw what is scored.

    Raises:
        ConfigError: there are too few questions to train on some and be asked others.
    """
    tokenizer = TOKENIZER.build(TOKENIZER.resolve(probe.own_tokenizer()))
    ids, answers = _scored(probe)
    held_out = [
        HeldOut(f"example {i}", example, n_bytes=0, scored=scored)
        for i, (example, scored) in enumerate(zip(ids, answers[:, 1:], strict=True))
    ]
    name = fingerprint(probe)
    return ProbeDataset(held_out=held_out, tokenizer=tokenizer, fingerprint=name, probe=probe)


def _stream(probe: Probe, seed: int, first: int, n: int) -> Examples:
    """Return `n` examples of the stream of a seed, from the one of index `first` on."""
    start, end = first // BLOCK, (first + n - 1) // BLOCK + 1
    blocks = [_block(probe, seed, block) for block in range(start, end)]
    part = slice(first - start * BLOCK, first - start * BLOCK + n)
    ids, answers = (np.concatenate(each)[part] for each in zip(*blocks, strict=True))
    return Examples(ids, answers)


def _block(probe: Probe, seed: int, block: int) -> Examples:
    return _gather(probe, generator(seed, "probe", block), BLOCK, scored=False)


def _scored(probe: Probe) -> Examples:
    return _gather(probe, generator("probe", "scored"), SCORED, scored=True)


def _gather(probe: Probe, draws: np.random.Generator, n: int, *, scored: bool) -> Examples:
    """Draw `n` examples of the questions that are scored, once each, or of those that are not."""
    ids, answers = probe.draw(draws, 0)
    for _ in range(ATTEMPTS):
        drawn = probe.draw(draws, n + n // 4)
        chosen = _is_scored(probe.question(drawn.ids)) == scored
        ids = np.concatenate([ids, drawn.ids[chosen]])
        answers = np.concatenate([answers, drawn.answers[chosen]])
        if scored:
            _, first = np.unique(probe.question(ids), axis=0, return_index=True)
            ids, answers = ids[np.sort(first)], answers[np.sort(first)]
        if len(ids) >= n:
            break
    if len(ids) < (1 if scored else n):
        few = "asks too few different questions to be trained on some and scored on others"
        raise ConfigError.at(("corpus",), f"{few}: make it larger")
    return Examples(ids[:n], answers[:n])


def _is_scored(questions: Ids) -> npt.NDArray[np.bool_]:
    """Decide by a hash of each row, so that a question is always on the same side."""
    mixed = questions.astype(np.uint64) @ _multipliers(questions.shape[1])
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(32)) % np.uint64(SHARE) == 0


@functools.cache
def _multipliers(n: int) -> npt.NDArray[np.uint64]:
    return generator("probe", "hash").integers(2**64, size=n, dtype=np.uint64) | np.uint64(1)
