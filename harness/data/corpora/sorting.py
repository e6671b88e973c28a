"""Sorting: write numbers in ascending order."""

from typing import Annotated

import numpy as np
from pydantic import Field

from harness.data.corpora import CORPUS, Examples, Probe


@CORPUS.register("sorting")
class Sorting(Probe):
    """Random numbers, which may repeat, a 0, and the numbers in ascending order: the answers.

    Options:
        n_tokens: Numbers to be sorted, > 1.
        n_symbols: Different numbers, > 1.

    Source:
        Graves et al. 2014, "Neural Turing Machines", arXiv:1410.5401, section 4.5, where each
        vector has a priority to be sorted by; here a number is its own.
    """

    def __init__(
        self,
        *,
        n_tokens: Annotated[int, Field(gt=1, le=2**16)] = 10,
        n_symbols: Annotated[int, Field(gt=1, le=2**20)] = 32,
    ) -> None:
        self.n_tokens, self.n_symbols = n_tokens, n_symbols
        self.vocab_size, self.length = 1 + n_symbols, 2 * n_tokens + 1

    def draw(self, generator: np.random.Generator, n: int) -> Examples:
        """Draw every number independently."""
        numbers = generator.integers(1, self.vocab_size, size=(n, self.n_tokens))
        return Examples.asking(numbers, np.sort(numbers, axis=1))
