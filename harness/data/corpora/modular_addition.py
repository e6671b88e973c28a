"""Modular addition: add two numbers on a clock."""

from typing import Annotated

import numpy as np
from pydantic import Field

from harness.data.corpora import CORPUS, Examples, Probe
from harness.data.order import Ids


@CORPUS.register("modular_addition")
class ModularAddition(Probe):
    """Two numbers, a 0, and their sum modulo `modulus`: the answer. The number k is the id k + 1.

    The sums that are scored were never seen in training, nor with their numbers exchanged: what is
    measured is generalisation, which on so small a table may come long after memorisation.

    Options:
        modulus: Numbers on the clock, > 1.

    Source:
        Power et al. 2022, "Grokking", arXiv:2201.02177, section 3, and Nanda et al. 2023,
        arXiv:2301.05217; with 15 of 16 pairs for training.
    """

    def __init__(self, *, modulus: Annotated[int, Field(gt=1, le=2**20)] = 31) -> None:
        self.modulus = modulus
        self.vocab_size, self.length = 1 + modulus, 4

    def draw(self, generator: np.random.Generator, n: int) -> Examples:
        """Draw both numbers independently."""
        numbers = generator.integers(self.modulus, size=(n, 2))
        total = numbers.sum(1, keepdims=True) % self.modulus
        return Examples.asking(1 + numbers, 1 + total)

    def question(self, ids: Ids) -> Ids:
        """Return the two numbers, the smaller one first."""
        return np.sort(ids[:, :2], axis=1)
