"""What a loss is worth: the losses of predictors that read no context."""

import math
from typing import NamedTuple

import numpy as np

from harness.data.base import TokenDataset

CHUNK = 2**20  # tokens counted at a time


class Baselines(NamedTuple):
    """Losses in nats per token."""

    uniform: float  # of all ids being equally likely: a model before training
    unigram: float  # of each id having its share of the training text: its entropy


def baselines(dataset: TokenDataset) -> Baselines:
    """Return the losses that a model has to fall below to have learned anything, and from context.

    Source:
        Shannon 1951, "Prediction and Entropy of Printed English": F_0 and F_1, of tokens.
    """
    counts = np.zeros(dataset.vocab_size, np.int64)
    for start in range(0, len(dataset.train), CHUNK):
        part = dataset.train[start : start + CHUNK]
        counts += np.bincount(part, minlength=len(counts))
    shares = counts[counts > 0] / counts.sum()
    return Baselines(math.log(dataset.vocab_size), float(-(shares * np.log(shares)).sum()))
